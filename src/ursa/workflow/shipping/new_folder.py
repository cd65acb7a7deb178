"""A folder to write into -> nothing, or the reason why not: what is exported never lands among other files."""

from pathlib import Path

from ursa.errors import DataError


def require_empty(place: Path) -> None:
    """Raises DataError for a file, and for a folder that holds something."""
    fix = "name a new folder"
    if place.exists() and not place.is_dir():
        raise DataError(f"{place} is a file", fix=fix)
    if place.is_dir() and (there := sorted(each.name for each in place.iterdir())):
        found = f"{there[0]} and {len(there) - 1} more" if len(there) > 1 else there[0]
        raise DataError(f"{place} is not empty, and nothing in it is overwritten", found=found, fix=fix)
