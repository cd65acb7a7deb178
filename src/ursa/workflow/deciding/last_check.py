"""Workspace of a check, journal -> how many wrong labels are left: `estimate_left` of all that decides."""

from pathlib import Path

from ursa import workspace as spaces
from ursa.clean.decisions.journal import read_journal
from ursa.clean.kept_findings import KeptFindings, read_findings
from ursa.clean.stopping.when_to_stop import StopAdvice
from ursa.data.catalog import Catalog
from ursa.errors import DataError
from ursa.review_page.labels_left import LabelsLeft
from ursa.review_page.picture_table import PictureTable
from ursa.workspace import Workspace


def labels_left(space: Workspace, root: Path) -> StopAdvice | None:
    """By the labels that the last check judged, and what was said of them since; None where there are none."""
    found = last_check(space, root)
    if found is None:
        return None
    left = LabelsLeft(*found)
    return left.advice(read_journal(space).believed()) if len(left) else None


def last_check(space: Workspace, root: Path) -> tuple[PictureTable, KeptFindings] | None:
    """The pictures of the last check and what it found; None where there was none, by this user and this release."""
    kept, data = read_findings(space), spaces.read_sealed(space.catalog)
    if kept is None or data is None:
        return None
    try:
        catalog = Catalog.from_parquet(data, space.catalog, root)
    except DataError:  # of another release
        return None
    return PictureTable.of(catalog), kept
