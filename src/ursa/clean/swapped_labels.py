"""Augmentations that make labels wrong. What a probe predicts for changed pictures -> findings. Reads, never writes.

A probe that learned from upright photos does worse on photos that stand on their heads, though their labels hold: such
loss is diffuse, or runs into one class. A change that alters labels does something else: it *swaps* two classes. A 6
turned by 180 degrees is taken for a 9, and a 9 for a 6. So both directions are asked for; measured in
`benchmarks/harm.py`.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ursa.core import statistics
from ursa.core.finding import Finding

I64 = npt.NDArray[np.int64]

EITHER = 0.25  # share of a class that has to be taken for the other one, in each direction
RISE = 0.25  # by how much more than of the unchanged pictures: classes that look alike anyway are not swapped


@dataclass(frozen=True)
class Judgement:
    """What a probe that had not seen them predicts for some pictures: unchanged, changed, and changed the other way."""

    change: str  # "turned by 180 degrees"
    setting: str  # of the recipe, which switches it off: "rotate90=0"
    before: I64  # [N] classes
    after: I64  # [N]
    back: I64  # [N], by the inverse change; the same as `after` for a change that undoes itself


def swapped(judged: Judgement, targets: I64, names: Sequence[str], ids: Sequence[str]) -> list[Finding]:
    """targets [N] -> one finding for each two classes that the change swaps, the surest first.

    Two classes are swapped if, of their pictures taken together, surely more than half are taken for the other class
    (the 95 % interval lies above a half), a quarter or more in each direction, and 25 points more than
    unchanged.
    """
    count = len(names)
    of_class = np.bincount(targets, minlength=count)
    before, after, back = (_table(seen, targets, count) for seen in (judged.before, judged.after, judged.back))
    found = []
    for a, b in itertools.combinations(range(count), 2):
        total = int(of_class[a] + of_class[b])
        there, again = max([_way(after, back, a, b), _way(back, after, a, b)], key=min)  # the same, if it undoes itself
        if not min(of_class[a], of_class[b]) or min(there / of_class[a], again / of_class[b]) < EITHER:
            continue
        share = statistics.proportion(int(there + again), total, "out-of-sample probe")
        stay = max(after[a, a] / of_class[a], after[b, b] / of_class[b])
        if share.low <= 0.5 or share.value - (before[a, b] + before[b, a]) / total < RISE or stay > 0.5:
            continue
        shares = round(100 * there / of_class[a]), round(100 * again / of_class[b])
        found.append(
            Finding(
                kind="augmentation-harms",
                where=tuple(ids[i] for i in np.flatnonzero((targets == a) | (targets == b)).tolist()),
                score=share.low,
                evidence=f"{judged.change.capitalize()}, {names[a]} is predicted as {names[b]} for {shares[0]} % of "
                f"pictures, and {names[b]} as {names[a]} for {shares[1]} %.",
                advice=f"If this augmentation turns one into the other, switch it off: --set {judged.setting}",
                numbers={"change": judged.change, "classes": [names[a], names[b]], "share": share.to_json()},
            )
        )
    return sorted(found, key=lambda finding: -finding.score)


def _way(there: I64, again: I64, a: int, b: int) -> tuple[int, int]:
    """Pictures of a taken for b, and by the inverse change of b for a."""
    return int(there[a, b]), int(again[b, a])


def _table(seen: I64, targets: I64, count: int) -> I64:
    """[K, K]: pictures of the row's class that are taken for the column's."""
    return np.bincount(targets * count + seen, minlength=count * count).reshape(count, count)
