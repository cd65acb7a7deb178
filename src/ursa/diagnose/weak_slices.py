"""Where the predictions are significantly worse: dark pictures, small ones, those of one folder."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ursa.core import statistics
from ursa.core.finding import Finding
from ursa.data.catalog import Catalog
from ursa.diagnose.picture_facts import ENDS, FILE_FACTS, NAMED, PICTURE_FACTS, Facts, picture_facts

Rows = npt.NDArray[np.bool_]  # [N]

FEW = 20  # pictures of a slice, below which nothing is said of it
ALPHA = 0.05  # of all that was looked at together
SAME = 0.5  # share of a slice's pictures that a clearer one may hold as well


@dataclass(frozen=True)
class Slice:
    """Pictures that have something in common."""

    fact: str  # of FILE_FACTS or PICTURE_FACTS
    name: str  # "dark pictures"
    inside: Rows
    chance: float  # p-value of so few being right


def weak_slices(catalog: Catalog, right: Rows, *, facts: Facts | None = None) -> list[Finding]:
    """right [N]: whether each picture was predicted correctly out of sample -> where accuracy is significantly lower.

    Of each fact the lowest and the highest fifth of the pictures, or those of one name, are held against the rest by
    Fisher's exact test, with Holm's correction over all that was looked at (Holm 1979): at most one false alarm in
    twenty such reports. A slice that shares most of its pictures with a clearer one is not told again. facts: those of
    the pictures, where somebody has them.
    """
    if len(catalog) < 5 * FEW:
        return []
    facts = picture_facts(catalog) if facts is None else facts
    looked = sorted(_slices(facts, right), key=lambda each: each.chance)
    found: list[Slice] = []
    for rank, each in enumerate(looked):
        if each.chance * (len(looked) - rank) > ALPHA:
            break
        if all(_overlap(each.inside, other.inside) <= SAME for other in found):
            found.append(each)
    return [_finding(each, catalog, right) for each in found]


def _slices(facts: Facts, right: Rows) -> Iterator[Slice]:
    for fact, values in facts.items():
        for name, inside in _parts(fact, values):
            if FEW <= inside.sum() <= len(values) - FEW:
                chance = statistics.fisher_exact(*_counts(right, inside), *_counts(right, ~inside), "less")
                yield Slice(fact, name, inside, chance)


def _parts(fact: str, values: npt.NDArray[np.generic]) -> Iterator[tuple[str, Rows]]:
    if fact in NAMED:
        for value in np.unique(values):
            if value:
                yield f"pictures of the {fact} {str(value)!r}", np.asarray(values == value)
        return
    low, high = np.quantile(values.astype(float), (0.2, 0.8))
    if low < high:
        yield f"{ENDS[fact][0]} pictures", np.asarray(values <= low)
        yield f"{ENDS[fact][1]} pictures", np.asarray(values >= high)


def _overlap(one: Rows, other: Rows) -> float:
    return float((one & other).sum() / min(one.sum(), other.sum()))


def _counts(right: Rows, side: Rows) -> tuple[int, int]:
    """Hits and pictures."""
    return int((right & side).sum()), int(side.sum())


def _finding(found: Slice, catalog: Catalog, right: Rows) -> Finding:
    inside, words = found.inside, (FILE_FACTS | PICTURE_FACTS)[found.fact]
    here, others = (
        statistics.proportion(*_counts(right, side), "out-of-sample predictions") for side in (inside, ~inside)
    )
    which = "" if found.fact in NAMED else f" (a fifth, by {words})"
    return Finding(
        kind="weak-slice",
        where=tuple(np.array(catalog.ids, dtype=object)[inside & ~right]),
        score=min(1.0, others.value - here.value),
        evidence=f"Of {int(inside.sum())} {found.name}{which} {here} are right, of the others {others}; "
        f"p = {found.chance:.1g}.",
        advice="Add pictures of that kind to those learned from, or do without them where the model is used.",
        numbers={
            "fact": found.fact,
            "slice": found.name,
            "inside": here.to_json(),
            "others": others.to_json(),
            "p_value": found.chance,
        },
    )
