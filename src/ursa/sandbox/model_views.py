"""Files, bytes or pixels, and a preparation -> what a model sees of them. Nothing else makes views of pictures.

Scan, embedding, training, `Learner`, figures and server all come here: a picture is read no larger than its view needs
(`core.decoding.image.read`, in a worker) and put into it by `Preparation.view`. `views` is for many: the next ones are
decoded while one is resized, by a faster kernel if the caller has one. `view` is for one, resized by the worker too.
"""

import contextlib
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from ursa.core import picture_file
from ursa.core.decoding.image import Picture, Pixels
from ursa.core.prepare import Preparation, Resize, resize
from ursa.errors import DataError
from ursa.sandbox import pool
from ursa.sandbox.pool import LIMITS


def view(
    source: str | Path | bytes | Pixels, preparation: Preparation, seconds: float = LIMITS.seconds, by: Resize = resize
) -> Pixels:
    """A file, a file's bytes, or pixels [h, w, 3] uint8 -> what a model sees, [size, size, 3] uint8.

    seconds: of computing that decoding may take; by: how pixels are resized. Raises DataError for no readable picture.
    """
    if isinstance(source, np.ndarray):
        if source.ndim != 3 or source.shape[2] != 3 or source.dtype != np.uint8 or 0 in source.shape:
            raise DataError(
                "pixels have to be an array [height, width, 3] of uint8",
                found=f"{list(source.shape)} of {source.dtype}",
                fix="for a file, pass its path",
            )
        return preparation.view(source, by=by)
    return pool.view(source if isinstance(source, bytes) else _bytes_of(Path(source)), preparation, seconds)


def views(
    sources: Iterable[Path | bytes],
    preparation: Preparation,
    *,
    by: Resize = resize,
    into: Iterable[Pixels] | None = None,
) -> Iterator[Picture | DataError]:
    """Files, or bytes of files -> each picture with its view [size, size, 3] for pixels, or its refusal; in order.

    by: another implementation of `resize`, see `Preparation.view`; into: blank views, one a source, to be filled.
    """
    problems: deque[DataError | None] = deque()  # of sources that were asked for and not yet answered
    places = None if into is None else iter(into)

    def datas() -> Iterator[bytes]:
        for source in sources:
            try:
                data = source if isinstance(source, bytes) else picture_file.read(source)
            except DataError as problem:
                problems.append(problem)
                continue
            problems.append(None)
            yield data

    def placed(found: Picture | DataError) -> Picture | DataError:
        place = None if places is None else next(places)
        return (
            found if isinstance(found, DataError) else replace(found, pixels=preparation.view(found.pixels, place, by))
        )

    with contextlib.closing(pool.reading(datas(), preparation.size, preparation.side)) as pictures:
        for found in pictures:
            while (problem := problems.popleft()) is not None:
                yield placed(problem)
            yield placed(found)
    yield from (placed(problem) for problem in problems if problem is not None)


def small_copies(sources: Iterable[Path | bytes], preparation: Preparation) -> Iterator[Pixels | DataError]:
    """Each picture for people to look at, [h, w, 3] uint8: as its view shows it, without bars, no larger than it is."""
    for found in views(sources, preparation):
        if isinstance(found, DataError):
            yield found
            continue
        pixels = preparation.shown(found.pixels, found.width, found.height)
        most = max(found.width, found.height, 1)
        if preparation.fit == "pad" and most < preparation.size:  # a magnified one holds no more than it did
            pixels = resize(np.ascontiguousarray(pixels), found.width, found.height)
        yield pixels


def _bytes_of(path: Path) -> bytes:
    try:
        return picture_file.read(path)
    except DataError as problem:
        raise DataError(f"cannot read {path}", found=problem.what, fix="check the path") from problem
