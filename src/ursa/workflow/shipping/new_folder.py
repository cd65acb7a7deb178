"""A new folder, and the files that are exported into it: never among other ones."""

from collections.abc import Mapping
from pathlib import Path

from ursa import workspace
from ursa.errors import DataError


def require_empty(place: Path) -> None:
    """Raises DataError for a file, and for a folder that holds something."""
    fix = "name a new folder"
    if place.exists() and not place.is_dir():
        raise DataError(f"{place} is a file", fix=fix)
    if place.is_dir() and (there := sorted(each.name for each in place.iterdir())):
        found = f"{there[0]} and {len(there) - 1} more" if len(there) > 1 else there[0]
        raise DataError(f"{place} is not empty, and nothing in it is overwritten", found=found, fix=fix)


def write_files(place: Path, files: Mapping[str, bytes]) -> None:
    """By their paths below it. Raises DataError where they cannot be written."""
    for name, data in files.items():
        with workspace.writing(place / name, "another folder") as target:
            target.write(data)
