"""What serving needs -> each package with the version that is installed here, for Linux; nobody is asked.

So the container computes with what predicted here, and pip has nothing to resolve. Where pictures of phones (HEIC) can
be read here, they can be there.
"""

from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from ursa.errors import DataError

LINUX = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "platform_machine": "x86_64"}


@dataclass(frozen=True)
class PinnedRequirement:
    """One package."""

    name: str
    version: str
    bytes: int  # as installed here

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


def pinned_requirements() -> list[PinnedRequirement]:
    """Sorted, without Ursa itself. Raises DataError where what serving needs is not installed."""
    extras = {"serve", "heic"} if _is_there("pi-heif") else {"serve"}
    found: dict[str, PinnedRequirement] = {}
    todo = [("ursa-learn", frozenset(extras))]
    seen = set(todo)
    while todo:
        name, wanted = todo.pop()
        installed = _installed(name)
        if name != "ursa-learn":
            found[name] = PinnedRequirement(name, Version(installed.version).public, _size(installed))
        for text in installed.requires or ():
            each = Requirement(text)
            if each.marker is None or any(each.marker.evaluate({**LINUX, "extra": e}) for e in ("", *wanted)):
                further = (canonicalize_name(each.name), frozenset(each.extras))
                if further not in seen:
                    seen.add(further)
                    todo.append(further)
    return [found[name] for name in sorted(found)]


def _is_there(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def _installed(name: str) -> Distribution:
    try:
        return distribution(name)
    except PackageNotFoundError:
        fix = "python -m pip install 'ursa-learn[serve]'"
        raise DataError("what serving needs is not installed here", found=f"no {name}", fix=fix) from None


def _size(installed: Distribution) -> int:
    places = (file.locate() for file in installed.files or () if file.suffix != ".pyc")
    return sum(place.stat().st_size for place in places if place.is_file())  # type: ignore[attr-defined]
