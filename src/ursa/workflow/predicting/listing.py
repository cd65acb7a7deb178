"""Pictures and folders as they were named -> the files to predict, each once."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ursa.data.sources.walk import Folder, Walk
from ursa.errors import DataError

# In the name of a picture, read or not; servers let more follow (`1.jpg?w=800`). A file in a folder that has neither
# such a name nor a picture in it is no mistake.
NAMED = re.compile(
    r"\.(jpe?g?|jfif|png|webp|gif|bmp|tiff?|avif|hei[cf]|jp2|jxl|p[gp]m|ico|tga|psd|dng|raw|nef|cr[23]|arw|dcm)\b",
    re.IGNORECASE,
)
NOT_ALLOWED = "cannot be opened: it is an address, not a file; --allow-urls fetches it"


@dataclass(frozen=True)
class Listed:
    """A file to predict."""

    path: Path  # as it was named, or lies in a folder that was
    stamp: tuple[int, int] | None  # bytes and time of change, in nanoseconds; None where it cannot be asked for
    root: Path | None = None  # the folder that was named, in which it lies; None for a file that was named itself
    problem: str | None = None  # what is known to be wrong with it already
    url: str | None = None  # where `data` was fetched from
    data: bytes | None = None

    @property
    def name(self) -> str:
        """By which it is known in tables; what is no Unicode is spelled out."""
        if self.url is not None:
            return self.url
        return self.path.as_posix().encode("utf-8", "backslashreplace").decode()


def listed(named: Sequence[str | Path], leave_out: Sequence[Path] = (), *, allow_urls: bool = False) -> list[Listed]:
    """Files as they are, folders with every file below; what is hidden, litter, or among `leave_out` is not listed.

    allow_urls: whether addresses are fetched; else that is what is wrong with them. Raises DataError where nothing was
    named, and for folders in which no file lies.
    """
    if not named:
        raise DataError("there is nothing to predict", fix="name pictures or a folder of them")
    found: dict[str, Listed] = {}
    barred = {_key(path) for path in leave_out if path.exists()}
    urls = [str(each) for each in named if _is_url(each)]
    fetched = (
        _fetched(urls) if allow_urls else {url: Listed(Path(url), None, problem=NOT_ALLOWED, url=url) for url in urls}
    )
    for each in named:
        path = Path(each)
        for one in [fetched[str(each)]] if str(each) in fetched else _below(path) if path.is_dir() else [_file(path)]:
            if not barred or one.stamp is None or _key(one.path) not in barred:
                found.setdefault(one.name, one)
    if not found:
        folders = ", ".join(map(str, named))
        raise DataError(f"there are no files in {folders}", fix="name a folder with pictures in it")
    return list(found.values())


def is_litter(one: Listed, answer: object) -> bool:
    """Whether it is some file in a folder that nobody would take for a picture: neither its bytes nor its name.

    answer: its problem, or whatever came of it.
    """
    problem = answer.what if isinstance(answer, DataError) else answer
    other = one.root is not None and isinstance(problem, str) and problem.startswith("not a picture")
    return other and not NAMED.search(one.path.name)


def _below(root: Path) -> list[Listed]:
    try:
        about = root.stat()
        walked = list(Walk(root.parent).files(Folder("", str(root), (about.st_dev, about.st_ino))))
    except OSError as problem:
        raise DataError(f"cannot read {root}", found=problem.strerror, fix="check who may read it") from problem
    walked.sort(key=lambda file: file.name.split("/"))
    return [
        Listed(root / file.name, file.stat and (file.stat.st_size, file.stat.st_mtime_ns), root, file.problem)
        for file in walked
    ]


def _is_url(named: str | Path) -> bool:
    return isinstance(named, str) and named.startswith(("http://", "https://")) and not Path(named).exists()


def _fetched(urls: Sequence[str]) -> dict[str, Listed]:
    if not urls:
        return {}
    from ursa.data.download.fetch import Refusal
    from ursa.data.download.fetch_pictures import fetch_pictures
    from ursa.data.download.lists import printable

    found = {}
    for url, answer in zip(urls, fetch_pictures(urls), strict=True):
        problem, data = (answer.reason, None) if isinstance(answer, Refusal) else (None, answer)
        found[url] = Listed(Path(url), None, problem=problem, url=printable(url), data=data)
    return found


def _file(path: Path) -> Listed:
    try:
        about = path.stat()
    except (OSError, ValueError):
        return Listed(path, None)  # what is wrong with it, reading says
    return Listed(path, (about.st_size, about.st_mtime_ns))


def _key(path: Path) -> tuple[int, int]:
    about = os.stat(path)  # noqa: PTH116
    return about.st_dev, about.st_ino
