"""Journal, pictures that are there -> what was said of their labels, in the order in which it was said."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from ursa.clean.decisions.decision import CHANGES, Decision
from ursa.clean.stopping.most_left import ReviewAnswer


def review_answers(
    entries: Iterable[Decision], hashes: Sequence[str | None], labels: Sequence[str | None]
) -> list[ReviewAnswer]:
    """entries: of the journal, the oldest first; hashes, labels [N] of the pictures whose labels are judged.

    A label is wrong where the latest decision that was not taken back is another label, or deletes the picture. That
    one copy of several was deleted says nothing of its label, and neither does a label where there was none. An answer
    holds for all copies. The place of an answer, and whether it was drawn at random, are those of the first decision
    about the picture, even of one that was taken back: a draw is none the less one for being corrected.
    """
    first: dict[str, Decision] = {}
    latest: dict[str, Decision] = {}
    entries = list(entries)
    undone = {(entry.undoes, entry.sha256) for entry in entries}
    for entry in entries:
        if entry.kind == "undo" or entry.copies or entry.given is None:
            continue
        first.setdefault(entry.sha256, entry)
        if (entry.key, entry.sha256) not in undone:
            latest[entry.sha256] = entry
    rows = defaultdict(list)
    for row, key in enumerate(hashes):
        if key is not None:
            rows[key].append(row)
    answers = []
    for key, decided in first.items():
        if key not in latest:
            continue
        said, given = latest[key], decided.given
        wrong = said.kind in CHANGES and said.label != given
        for place, row in enumerate(rows.get(key, (-1,))):
            drawn_from = 0 if place else decided.drawn_from
            answers.append(ReviewAnswer(row, wrong, drawn_from, row >= 0 and labels[row] != given))
    return answers
