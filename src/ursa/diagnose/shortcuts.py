"""Does something beside the content tell the classes apart? Then a model may learn the camera, not the bear.

Each fact of `picture_facts` is tried alone, for each class against the others: pictures are binned by it, and a
held-out picture is taken for the class that its bin holds more of. What a file says of how it was made ought to be
worth nothing; what a picture's levels say may be the object itself (polar bears are white), so that only a level that
divides nearly all of them, or one that a whole class never reaches, is reported. Thresholds: `benchmarks/shortcuts.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ursa.core import seeds, stratified
from ursa.core.finding import Finding
from ursa.core.statistics import Z95, Estimate
from ursa.data.catalog import Catalog
from ursa.diagnose.picture_facts import F64, FILE_FACTS, NAMED, PICTURE_FACTS, Facts, picture_facts

I64 = npt.NDArray[np.int64]

FEW = 20  # pictures of a class, below which nothing is said of it
BINS = 10  # of a fact, with about as many pictures each
FOLDS = 5
BY_FILE = 0.63  # balanced accuracy that a fact of the file may reach; natural ones of the shared sets: up to 0.62
BY_LEVEL = 0.95  # likewise of the picture's levels, which may be the object's own; of digits in their frame: up to 0.93
LEVELS = ("darkest", "brightest")  # ends of the range, which processing moves and objects seldom do
# Times half of the 95 % interval by which chance's 0.5 is passed; at 1.65 7 of 40 random labelings were told.
SURE = 1.9
REACH = 0.25  # share of the other classes' pictures beyond a level that not one of this class reaches


@dataclass(frozen=True)
class Shortcut:
    """A class and a fact that tells it from the others."""

    label: str
    fact: str  # of FILE_FACTS or PICTURE_FACTS
    accuracy: Estimate  # balanced: mean of the recall of the class and of the others; chance is 0.5
    never: str = ""  # "above 230": what no picture of the class does and many others do


def shortcuts(
    catalog: Catalog, *, facts: Facts | None = None, groups: I64 | None = None, seed: int = 0
) -> list[Finding]:
    """A scanned catalog of usable pictures of one label each -> a finding for each class that a fact gives away.

    facts: those of the pictures, where somebody has them. groups [N]: pictures with the same number are held out
    together. The strongest fact of a class is told, the others stand in `numbers`. Nothing is said of classes with
    fewer than FEW pictures.
    """
    labels = catalog.labels
    targets = catalog.targets(labels)
    if not len(catalog):
        return []
    facts = picture_facts(catalog) if facts is None else facts
    folds = stratified.folds(
        targets, np.arange(len(targets)) if groups is None else groups, FOLDS, seeds.generator(seed, "shortcuts")
    )
    found = []
    for number, name in enumerate(labels.names):
        member = targets == number
        if member.sum() < FEW or (~member).sum() < FEW:
            continue
        told = [each for each in (_tried(name, fact, facts[fact], member, folds) for fact in facts) if each]
        if told:
            found.append(_finding(told, catalog, member))
    return found


def _tried(
    label: str, fact: str, values: npt.NDArray[Any], member: npt.NDArray[np.bool_], folds: I64
) -> Shortcut | None:
    """The fact as a shortcut to the class, if it is one."""
    accuracy = balanced_accuracy(values, member, folds, named=fact in NAMED)
    limit = BY_FILE if fact in FILE_FACTS else BY_LEVEL
    if accuracy.value >= limit and accuracy.value - SURE * (accuracy.value - accuracy.low) > 0.5:
        return Shortcut(label, fact, accuracy)
    if fact in LEVELS and (never := never_reached(values, member)):
        return Shortcut(label, fact, accuracy, never)
    return None


def balanced_accuracy(
    values: npt.NDArray[Any], member: npt.NDArray[np.bool_], folds: I64, *, named: bool = False
) -> Estimate:
    """values, member, folds [N] -> held-out balanced accuracy of telling members from others by the values' bins.

    named: the values are names, each its own bin.
    """
    bins = np.unique(values, return_inverse=True)[1].reshape(-1) if named else _bins(values)
    hits = np.zeros(len(values), bool)
    for fold in np.unique(folds):
        learned, held_out = folds != fold, folds == fold
        shares = []
        for side in (member, ~member):
            counts = np.bincount(bins[learned & side], minlength=int(bins.max()) + 1)
            shares.append(counts / max(1, counts.sum()))
        hits[held_out] = (shares[0] > shares[1])[bins[held_out]] == member[held_out]
    recalls = [float(hits[side].mean()) for side in (member, ~member)]
    variance = sum(r * (1 - r) / side.sum() for r, side in zip(recalls, (member, ~member), strict=True))
    value, half = sum(recalls) / 2, Z95 * float(np.sqrt(variance)) / 2
    method = f"balanced accuracy of one fact in {BINS} bins, {FOLDS}-fold cross-validated; normal 95 % interval"
    return Estimate(value, max(0.0, value - half), min(1.0, value + half), method, share=True)


def never_reached(values: F64, member: npt.NDArray[np.bool_]) -> str:
    """ "above 230" where not one of the members lies there and at least REACH of the others do; "" if neither end is.

    Of members that are drawn as the others are, at least 20, one would lie there in more than 99.6 % of cases
    (0.75 ** 20).
    """
    inside, others = values[member], values[~member]
    if (others > inside.max()).mean() >= REACH:
        return f"above {inside.max():.4g}"
    if (others < inside.min()).mean() >= REACH:
        return f"below {inside.min():.4g}"
    return ""


def _bins(values: F64) -> I64:
    """[N] -> the number of each value's bin; equal values share one."""
    cuts = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1]))
    return np.searchsorted(cuts, values, side="right").astype(np.int64)


def _finding(told: Sequence[Shortcut], catalog: Catalog, member: npt.NDArray[np.bool_]) -> Finding:
    best = max(told, key=lambda each: (each.accuracy.value, bool(each.never)))
    words = (FILE_FACTS | PICTURE_FACTS)[best.fact]
    if best.never:
        what = f"No picture of {best.label!r} lies {best.never} in {words}, and many of the others do"
    else:
        share = f"{best.accuracy} right, chance is 50 %"
        what = f"{words[0].upper()}{words[1:]} alone tells {best.label!r} from the others: {share}"
    cause = "the files were made or processed" if best.fact in FILE_FACTS else "the pictures were taken"
    return Finding(
        kind="shortcut",
        where=tuple(np.array(catalog.ids, dtype=object)[member]),
        score=min(1.0, 2 * best.accuracy.value - 1) if best.accuracy.value > 0.5 else 0.0,
        evidence=f"{what}. A model may learn that instead of the object.",
        advice=f"Find out whether {cause} differently for this class, and treat all classes alike; "
        "a test on pictures from one source shows whether it matters.",
        numbers={
            "label": best.label,
            "fact": best.fact,
            "facts": {
                each.fact: each.accuracy.to_json() | ({"never": each.never} if each.never else {}) for each in told
            },
        },
    )
