"""File -> facts: hash, format, size, perceptual hash, blur, and the reason why it is of no use. Decodes each file once.

`read_files` makes the facts and the model's views of pictures together, so that `embed/one_pass.py` need not decode a
second time; `read_file` is the same for a single file.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from ursa import sandbox, workspace
from ursa.core import files, picture_file
from ursa.core.decoding.image import Pixels
from ursa.core.prepare import Preparation, Resize, resize
from ursa.core.threads import chunks
from ursa.data.blur import blur
from ursa.data.catalog import Catalog
from ursa.errors import DataError

THUMBNAIL = 32  # pixels a side

FACTS = ("sha256", "format", "width", "height", "frames", "phash", "thumbnail", "blur", "problem")


@dataclass(frozen=True)
class FileInfo:
    """What a scan knows of one file."""

    sha256: str | None = None
    format: str | None = None
    width: int | None = None
    height: int | None = None
    frames: int | None = None
    phash: int | None = None
    thumbnail: bytes | None = None
    blur: float | None = None
    problem: str | None = None


def read_file(file: Path, preparation: Preparation, by: Resize = resize) -> tuple[FileInfo, Pixels | None]:
    """file -> facts and view [size, size, 3], the view None where there is a problem. Never raises for a bad file."""
    seen, views = read_files([file], preparation, by)
    (facts,) = with_hashes(seen, views, preparation, by)
    return facts, views[0] if facts.problem is None else None


def read_files(files: Sequence[Path], preparation: Preparation, by: Resize) -> tuple[list[FileInfo], Pixels]:
    """N files -> their facts but for hash, thumbnail and blur, and views [N, S, S, 3], blank where there is a problem.

    by: see `Preparation.view`. What can wait is left to `with_hashes`: each small call here has the threads wait for
    each other.
    """
    views, facts, datas = preparation.blank(len(files)), [FileInfo()] * len(files), {}
    for row, file in enumerate(files):
        try:
            datas[row] = picture_file.read(file)
        except DataError as problem:
            facts[row] = FileInfo(problem=problem.what)
    pictures = sandbox.views(datas.values(), preparation, by=by, into=(views[row] for row in datas))
    for (row, data), found in zip(datas.items(), pictures, strict=True):
        digest = hashlib.sha256(data).hexdigest()
        if isinstance(found, DataError):
            facts[row] = FileInfo(sha256=digest, problem=found.what)
        else:
            facts[row] = FileInfo(digest, found.format, found.width, found.height, found.frames)
    return facts, views


def with_hashes(facts: Sequence[FileInfo], views: Pixels, preparation: Preparation, by: Resize) -> list[FileInfo]:
    """Facts of N files and their views [N, S, S, 3] -> the facts with hash, thumbnail and blur."""
    small, blurs = np.zeros((len(facts), THUMBNAIL, THUMBNAIL, 3), np.uint8), [0.0] * len(facts)
    for row, (fact, view) in enumerate(zip(facts, views, strict=True)):
        if fact.width is not None and fact.height is not None:
            shown = preparation.shown(view, fact.width, fact.height)
            small[row] = by(shown, THUMBNAIL, THUMBNAIL)
            step = max(1, round(preparation.enlarged(fact.width, fact.height)))  # enlarging is no blur of the picture
            blurs[row] = blur(shown[::step, ::step])
    grays = gray(small)
    found = zip(facts, hashes(grays).tolist(), grays, blurs, strict=True)
    return [
        fact if fact.problem is not None else replace(fact, phash=phash, thumbnail=thumbnail.tobytes(), blur=blurred)
        for fact, phash, thumbnail, blurred in found
    ]


def gray(small: Pixels) -> Pixels:
    """[..., 3] -> [...] gray levels (ITU-R BT.601)."""
    return np.asarray((small @ np.array([299, 587, 114], np.int32) + 500) // 1000).astype(np.uint8)


def hashes(grays: Pixels) -> npt.NDArray[np.uint64]:
    """grays [N, 32, 32] -> [N] difference hashes of 64 bits.

    A bit says whether a cell of a 9 x 8 thumbnail is darker than its right neighbor (Krawetz 2013, "Kind of like
    that"). It survives resizing and re-encoding; near-duplicates differ in few bits.
    """
    rows = grays.reshape(-1, 8, THUMBNAIL // 8, THUMBNAIL).sum(2, dtype=np.int32)
    cells = rows @ _COLUMNS  # whole numbers, so that equal cells are equal
    bits = (cells[:, :, :-1] < cells[:, :, 1:]).reshape(-1, 64)
    return np.packbits(bits, axis=1).view(">u8").reshape(-1).astype(np.uint64)


# How many ninths of each of 32 columns lie in each of 9 cells, [32, 9].
_EDGES = 9 * np.arange(THUMBNAIL)[:, None], THUMBNAIL * np.arange(9)
_COLUMNS = np.clip(np.minimum(_EDGES[0] + 9, _EDGES[1] + THUMBNAIL) - np.maximum(*_EDGES), 0, None).astype(np.int32)


def difference_hash(pixels: Pixels) -> int:
    """pixels [h, w, 3] -> the difference hash of one picture."""
    return int(hashes(gray(resize(pixels, THUMBNAIL, THUMBNAIL))[None])[0])


def thumbnail(pixels: Pixels) -> bytes:
    """pixels [h, w, 3] -> 32 x 32 gray levels, shape not kept: by which near-duplicates are found."""
    return gray(resize(pixels, THUMBNAIL, THUMBNAIL)).tobytes()


def with_facts(catalog: Catalog, facts: Iterable[FileInfo]) -> Catalog:
    """The catalog with these facts, one a row in order."""
    found = list(facts)
    kinds = catalog.rows.schema
    columns = {name: pl.Series(name, [getattr(fact, name) for fact in found], dtype=kinds[name]) for name in FACTS}
    return catalog.with_columns(**columns)


def with_known_facts(catalog: Catalog, before: Catalog) -> Catalog:
    """The catalog with the facts of an earlier scan, where size and time of the file have not changed.

    A file that could not even be opened is tried again: who may read it changes neither. So is one that needed a
    decoder, which may have been installed since. One that was judged by its first bytes and its size has no sha256, and
    is known nevertheless.
    """
    asked = pl.col("problem").str.starts_with("needs a decoder").fill_null(False)
    judged = pl.col("sha256").is_not_null() | pl.col("problem").str.contains("^(not a picture|too large)")
    known = before.rows.filter(judged & ~asked).select("id", "bytes", "modified", *FACTS)
    rows = catalog.rows.drop(FACTS).join(known, on=["id", "bytes", "modified"], how="left", maintain_order="left")
    rows = rows.with_columns(problem=pl.coalesce(catalog.rows["problem"], "problem"))  # a source may know one
    return Catalog(catalog.root, rows.select(catalog.rows.columns))


def keep(catalog: Catalog, path: Path) -> None:
    """Write down what a scan found, for `load_scan`. Raises DataError where it cannot be written."""
    workspace.write_sealed(path, catalog.to_parquet())


def load_scan(catalog: Catalog, path: Path) -> Catalog:
    """The catalog with what this user's last scan found, as far as its file can be read: another scan makes it anew."""
    data = workspace.read_sealed(path)
    if data is None:  # there is none, it is another user's, or damaged
        return catalog
    try:
        return with_known_facts(catalog, Catalog.from_parquet(data, path, catalog.root))
    except DataError:  # it is of another release of Ursa
        return catalog


def hashed(catalog: Catalog) -> Catalog:
    """The catalog with the sha256 of every file, read here where no scan has read it; null where it cannot be read."""

    def digest(picture: tuple[str | None, Path]) -> str | None:
        known, file = picture
        try:
            return known or hashlib.sha256(files.read_bytes(file, picture_file.MAX_BYTES)).hexdigest()
        except (OSError, DataError):
            return None

    pictures = zip(catalog.rows["sha256"], catalog.files(), strict=True)
    keys = [key for some in chunks(pictures, digest) for key in some]
    return catalog.with_columns(sha256=pl.Series("sha256", keys, dtype=pl.String))


def unscanned(catalog: Catalog) -> pl.Series:
    """[N] bool: rows that no scan has read yet."""
    return catalog.rows["sha256"].is_null() & catalog.rows["problem"].is_null()
