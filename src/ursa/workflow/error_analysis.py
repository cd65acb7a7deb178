"""`ursa error-analysis`: tagged mistakes -> the share of each cause, and what solving it would bring at most."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ursa.core.statistics import Estimate
from ursa.data.catalog import Catalog
from ursa.diagnose.error_causes import Cause, accuracy_so_far, error_causes
from ursa.diagnose.tag_sheet import read_sheet
from ursa.errors import DataError
from ursa.prepared.setup import Data
from ursa.workflow.results.short_repr import ShortRepr, interval_text
from ursa.workspace import Workspace


@dataclass(frozen=True, repr=False)
class ErrorAnalysis(ShortRepr):
    """What tagged mistakes have in common."""

    causes: list[Cause]  # the most frequent first
    accuracy: Estimate  # of what made the mistakes
    mistakes: int  # in all
    pictures: int  # judged
    tagged: int  # of the mistakes in the sheet
    untagged: int
    gone: list[str]  # ids in the sheet of pictures that are not there any more: their tags count for nothing
    sheet: Path

    def _shown(self) -> list[tuple[str, str]]:
        rows = [("tagged", f"{self.tagged:,} of {self.tagged + self.untagged:,}")]
        return [*rows, ("accuracy", interval_text(self.accuracy)), *((c.name, f"{c.count:,}") for c in self.causes)]

    def to_json(self) -> dict[str, Any]:
        """The document of `ursa error-analysis --json`."""
        return {
            "causes": [cause.to_json() for cause in self.causes],
            "accuracy": self.accuracy.to_json(),
            "mistakes": self.mistakes,
            "pictures": self.pictures,
            "tagged": self.tagged,
            "untagged": self.untagged,
            "gone": self.gone,
            "sheet": str(self.sheet),
        }


def error_analysis(data: Data, *, tags: str | Path | None = None, workspace: str | Path | None = None) -> ErrorAnalysis:
    """data: the folder or table of the pictures; tags: the CSV file, `mistakes.csv` of the last `ursa.check` if None.

    A picture that is gone is left out, with its tags, and named. Raises DataError for a file that is no such sheet.
    """
    root = _root(data)
    space = Workspace.of(root, None if workspace is None else Path(workspace))
    path = space.mistakes if tags is None else Path(tags)
    sheet = read_sheet(path)
    ids = [*sheet.tags, *sheet.untagged]
    gone = [id for id in ids if not _is_there(root, id)]
    if len(gone) == len(ids):
        raise DataError(
            f"none of the pictures in {path} is in {root}",
            found=f"for example {gone[0]!r}",
            fix="name the folder that the sheet is of",
        )
    missing = set(gone)
    known = {id: some for id, some in sheet.tags.items() if id not in missing}
    return ErrorAnalysis(
        causes=error_causes(known, sheet.mistakes, sheet.pictures),
        accuracy=accuracy_so_far(sheet.mistakes, sheet.pictures),
        mistakes=sheet.mistakes,
        pictures=sheet.pictures,
        tagged=len(known),
        untagged=sum(id not in missing for id in sheet.untagged),
        gone=gone,
        sheet=path,
    )


def _root(data: Data) -> Path:
    """Where the pictures lie. Raises DataError where there is nothing."""
    if isinstance(data, Catalog):
        return data.root
    place = Path(data)
    if place.suffix == ".ursa" or not place.exists():
        what = f"{place} is a bundle, not pictures" if place.exists() else f"there is no folder {place}"
        raise DataError(what, fix="name the folder of the pictures: ursa error-analysis FOLDER --tags FILE.csv")
    if place.is_file() and place.suffix.lower() == ".csv" and _is_sheet(place):
        fix = f"ursa error-analysis FOLDER --tags {place}"
        raise DataError(f"{place} is a sheet of tags", found="the pictures come first", fix=fix)
    return place if place.is_dir() else place.parent


def _is_sheet(path: Path) -> bool:
    try:
        read_sheet(path)
    except DataError:
        return False
    return True


def _is_there(root: Path, id: str) -> bool:
    try:
        return (root / id).is_file()
    except (OSError, ValueError):  # no name that a file can have
        return False
