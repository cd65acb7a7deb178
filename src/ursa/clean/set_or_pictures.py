"""Pictures of a kind -> a finding each; or one for the set, where that is what these data are like."""

from collections.abc import Mapping, Sequence
from typing import Any

from ursa.core.finding import Finding

SHARE = 0.05  # of all pictures: more of a kind are how the set is, and would bury what stands out
SINGLY = 50  # findings of a kind; more are one, likewise
FEW = 10  # pictures, up to which each is named in a small set, too

Numbers = Sequence[Mapping[str, Any]]  # of each picture


def set_or_pictures(
    kind: str,
    ids: Sequence[str],
    words: Sequence[str],
    scores: Sequence[float],
    advice: str,
    numbers: Numbers,
    *,
    total: int,
) -> list[Finding]:
    """ids [N], words [N], scores [N], numbers [N], the most pressing first, of so many pictures in all -> findings.

    Up to SHARE of all pictures, and up to SINGLY, are a finding each; more are one finding that holds all.
    """
    count = len(ids)
    if count <= min(SINGLY, max(FEW, SHARE * total)):
        named = zip(ids, words, scores, numbers, strict=True)
        return [Finding(kind, (id,), score, said, advice, about) for id, said, score, about in named]
    share = f"{count:,} of {total:,} pictures ({100 * count / total:.0f} %)"
    first = f"{words[0][0].lower()}{words[0][1:]}"
    same = len(set(words)) == 1
    evidence = f"{share}: {first}" if same else f"{share}, the first of them: {first}"
    some = {"pictures": count, "share": round(count / total, 4)}
    return [Finding(kind, tuple(ids), scores[0], evidence, advice, some)]
