"""Identical files of one label -> the wish to delete all but one of each group."""

from collections.abc import Sequence

from ursa.clean.decisions.corrections import corrected
from ursa.clean.decisions.decision import Decision
from ursa.clean.decisions.decision_table import WantedDecision
from ursa.clean.duplicates import duplicates
from ursa.data.catalog import Catalog


def wanted_of_duplicates(catalog: Catalog, stands: Sequence[Decision], why: str | None = None) -> list[WantedDecision]:
    """A catalog with hashes, decisions that stand -> what is still to be deleted, so that twice is once.

    One stays of what was not deleted before, by the labels that were decided. Groups with different labels have no
    keeper: a person has to say which label is right.
    """
    left = corrected(catalog, [decided for decided in stands if decided.mine]).catalog
    return [
        WantedDecision(id, "delete", why=why or f"identical to {finding.numbers['keep']}")
        for finding in duplicates(left)
        if "keep" in finding.numbers
        for id in finding.where
        if id != finding.numbers["keep"]
    ]
