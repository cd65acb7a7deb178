"""Scanned catalog, decisions -> the corrected catalog: labels set right, pictures left out. Opens no file."""

from collections import defaultdict
from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Any

import polars as pl

from ursa.clean.decisions.decision import CHANGES, LABELS, Decision
from ursa.clean.duplicates import words
from ursa.data.catalog import Catalog
from ursa.errors import did_you_mean


@dataclass(frozen=True)
class Relabeled:
    """A picture with another label than the one it was given."""

    id: str
    given: str | None  # as text; None where it had none
    label: str
    sha256: str


@dataclass(frozen=True)
class LeftOut:
    """A decision that nothing follows from here, and why."""

    decision: Decision
    reason: str


@dataclass(frozen=True)
class Corrected:
    """What follows from decisions for the pictures of a catalog."""

    catalog: Catalog
    relabeled: tuple[Relabeled, ...] = ()
    removed: tuple[tuple[str, str], ...] = ()  # id, sha256
    left_out: tuple[LeftOut, ...] = ()
    new_classes: tuple[str, ...] = ()  # those that the pictures had none of before


def done_to(relabeled: Sequence[Relabeled]) -> str:
    """ "corrected", or "set" where no picture had a label."""
    return "set" if relabeled and all(change.given is None for change in relabeled) else "corrected"


def corrected(catalog: Catalog, decisions: Sequence[Decision]) -> Corrected:
    """catalog: with the sha256 of its pictures; decisions: those that stand, one a picture.

    A label whose class is gone by now, because it was renamed or emptied, is left out: it would begin a class that
    nobody decided on. One that was decided as a new class begins it.
    """
    wanted = [decided for decided in decisions if decided.kind in CHANGES]
    known = set(catalog.labels.names)
    classes = known | {decided.label for decided in wanted if decided.kind == "new-label" and decided.label}
    places = _places(catalog, {decided.sha256 for decided in wanted})
    relabeled: list[Relabeled] = []
    removed: dict[str, str] = {}
    left_out: list[LeftOut] = []
    for decided in sorted(wanted, key=lambda one: one.kind != "delete"):
        here = [(id, label) for id, label in places.get(decided.sha256, ()) if id not in removed]
        found = _without(here, decided, classes, catalog.task)
        if isinstance(found, str):
            left_out.append(LeftOut(decided, found))
        elif decided.kind == "delete":
            removed |= {id: decided.sha256 for id, _ in found}
        elif decided.label is not None:
            changed = [(id, label) for id, label in found if label != decided.label]
            relabeled += [Relabeled(id, text_of(label), decided.label, decided.sha256) for id, label in changed]
    result = _with(catalog, relabeled, removed)
    ordered = tuple(sorted(relabeled, key=lambda change: change.id))
    begun = tuple(sorted({change.label for change in relabeled} - known))
    return Corrected(result, ordered, tuple(sorted(removed.items())), tuple(left_out), begun)


def _places(catalog: Catalog, keys: set[str]) -> dict[str, list[tuple[str, Any]]]:
    """sha256 -> id and label of each file with these bytes."""
    places = defaultdict(list)
    some = catalog.rows.filter(pl.col("sha256").is_in(list(keys))).select("sha256", "id", "label")
    for key, id, label in some.iter_rows():
        places[key].append((id, label))
    return places


def _without(
    here: list[tuple[str, Any]], decided: Decision, classes: Set[str], task: str
) -> list[tuple[str, Any]] | str:
    """The files that a decision is about, or why there are none."""
    if not here:
        return "no picture here has these bytes: it was changed, or is gone"
    if decided.kind in LABELS:
        if task != "single-label":
            return "a label can be set where each picture has one class"
        if decided.label is None or decided.label not in classes:
            return f"there is no class {decided.label!r} any more ({did_you_mean(decided.label or '', classes)})"
        return here
    if not decided.copies:
        return here
    named = [(id, label) for id, label in here if id == decided.id]
    moved = [(id, label) for id, label in here if id not in decided.copies]
    if len(named or moved) != 1 or len(here) < 2:
        return "it was one of several copies, and which of them is not to be told any more"
    return named or moved


def _with(catalog: Catalog, relabeled: list[Relabeled], removed: dict[str, str]) -> Catalog:
    if relabeled:
        new = {change.id: change.label for change in relabeled}
        labels = pl.col("id").replace_strict(new, default=None, return_dtype=pl.String)
        catalog = catalog.with_columns(label=pl.coalesce(labels, pl.col("label")))
    return catalog.without(removed) if removed else catalog


def text_of(label: Any) -> str | None:
    """A label as text."""
    return None if label is None else words(label)
