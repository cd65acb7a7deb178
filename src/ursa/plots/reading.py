"""Files and catalogs -> tiles: pixels with the words that stand beside them. What cannot be read becomes a tile too."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ursa import sandbox
from ursa.core import picture_file, seeds
from ursa.core.decoding.image import Pixels
from ursa.core.prepare import Preparation, fitted, resize
from ursa.core.progress import Progress, silent
from ursa.core.threads import chunks
from ursa.data import scanning
from ursa.data.catalog import Catalog
from ursa.errors import DataError

PHASE = "Reading pictures"

UNKNOWN = dict.fromkeys(("format", "width", "height", "turned", "frames", "problem"))  # facts
TURNS = {  # what was done to a picture so that it stands upright, by its EXIF orientation
    2: "mirrored",
    3: "turned by 180°",
    4: "turned by 180° and mirrored",
    5: "turned by 90° and mirrored",
    6: "turned by 90° clockwise",
    7: "turned by 270° and mirrored",
    8: "turned by 90° anticlockwise",
}

NO_LABEL, NO_CLASS = "no label", "none of the classes"
UNUSABLE = "cannot be read"


@dataclass(frozen=True)
class Tile:
    """A picture and its words; without pixels, the reason why there are none."""

    pixels: Pixels | None  # [h, w, 3]
    title: str = ""
    problem: str | None = None
    id: str | None = None


@dataclass(frozen=True)
class Opened:
    """One file, read in full."""

    pixels: Pixels | None  # upright
    facts: dict[str, Any]  # "picture", "bytes", "format", "width", "height", "turned", "frames", "problem"

    def words(self) -> str:
        """The facts in a line: "JPEG · 4032 x 3024 px · 12.2 megapixels · turned by 90° (EXIF) · 3.4 MB"."""
        facts = self.facts
        if facts["problem"]:
            return str(facts["problem"])
        width, height, frames = facts["width"], facts["height"], facts["frames"]
        parts = [facts["format"], f"{width} × {height} px"]
        if (mega := width * height / 1e6) >= 0.05:
            parts.append(f"{mega:.2g} megapixels" if mega < 10 else f"{mega:.0f} megapixels")
        if facts["turned"]:
            parts.append(f"{facts['turned']} (EXIF)")
        if frames > 1:
            parts.append(f"the first of {frames:,} frames")
        return " · ".join([*parts, size_of(facts["bytes"])])


def opened(file: Path) -> Opened:
    """What is in a file. A file that is no sound picture says why as `problem`; a missing one raises DataError."""
    data = _read(file)
    if isinstance(data, DataError):
        return Opened(None, {"picture": str(file), "bytes": file.stat().st_size, **UNKNOWN, "problem": data.what})
    facts: dict[str, Any] = {"picture": str(file), "bytes": len(data)}
    facts |= UNKNOWN
    try:
        picture = sandbox.read(data)
    except DataError as problem:
        return Opened(None, facts | {"problem": problem.what})
    facts |= {"format": picture.format, "width": picture.width, "height": picture.height, "frames": picture.frames}
    return Opened(picture.pixels, facts | {"turned": TURNS.get(picture.orientation)})


def file_tile(file: Path, preparation: Preparation | None = None) -> Tile:
    """A file by its name: in full, or with a preparation as a model sees it. Raises DataError for a missing one."""
    if preparation is None:
        found = opened(file)
        return Tile(found.pixels, file.name, found.facts["problem"])
    data = _read(file)
    pixels, problem = (None, data.what) if isinstance(data, DataError) else _small(data, preparation, preparation.size)
    return Tile(pixels, file.name, problem)


def sample(
    catalog: Catalog, count: int, seed: int = 0, preparation: Preparation | None = None, side: int = 400
) -> list[Tile]:
    """`count` pictures of a catalog, drawn by the seed, as evenly from its classes as they allow, sorted by class.

    With a preparation the tiles are what a model sees; else the whole pictures, their longer side at most `side` px.
    """
    rows = _evenly([words_of(label) for label in catalog.rows["label"]], count, seed)
    ids, files, labels = catalog.ids, catalog.files(), catalog.rows["label"]

    def made(row: int) -> Tile:
        pixels, problem = _small(files[row], preparation, side)
        return Tile(pixels, words_of(labels[row]), problem, ids[row])

    return [one for some in chunks(rows, made) for one in some]


def scanned(catalog: Catalog, progress: Progress = silent) -> Catalog:
    """The catalog with size, format and problem of each picture; files that no scan has looked at yet are decoded."""
    return scanning.scanned(catalog, lambda _, done, of: progress(PHASE, done, of), preparation=Preparation(32))


def words_of(label: Any) -> str:
    """A label as text, whatever the task."""
    if label is None:
        return NO_LABEL
    if isinstance(label, str):
        return label
    if isinstance(label, float):
        return f"{label:.4g}"
    return ", ".join(words_of(one) for one in label) or NO_CLASS


def size_of(size: int) -> str:
    """Bytes for people, in powers of 1,000 as disks and phones count them."""
    if size < 1000:
        return f"{size} byte{'s' * (size != 1)}"
    value, unit = (size / 1e3, "kB") if size < 999_500 else (size / 1e6, "MB")
    return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"


def shrunk(pixels: Pixels, side: int) -> Pixels:
    """The same pixels, or a smaller copy whose longer side is `side`: more than a figure can show only costs time."""
    height, width = pixels.shape[:2]
    return pixels if max(height, width) <= side else resize(pixels, *fitted(width, height, side))


def _read(file: Path) -> bytes | DataError:
    """The file's bytes, or why it is no picture. Raises DataError where it cannot be opened."""
    try:
        return picture_file.read(file)
    except DataError as problem:
        if problem.what.startswith("cannot be opened"):
            raise DataError(f"cannot open {file}", found=problem.what, fix="check the path") from problem
        return problem


def _small(source: Path | bytes, preparation: Preparation | None, side: int) -> tuple[Pixels | None, str | None]:
    """What a model sees, or the whole picture no larger than `side`; without pixels, the reason why."""
    try:
        data = source if isinstance(source, bytes) else picture_file.read(source)
        if preparation is not None:
            return sandbox.view(data, preparation), None
        return shrunk(sandbox.read(data, at_least=side).pixels, side), None
    except DataError as problem:
        return None, problem.what


def _evenly(labels: Sequence[str], count: int, seed: int) -> list[int]:
    """Rows: first one of each class, then a second of each, until there are enough; sorted by class."""
    of: defaultdict[str, list[int]] = defaultdict(list)
    for row in seeds.generator(seed, "look").permutation(len(labels)).tolist():
        of[labels[row]].append(row)
    rounds = [(turn, place, row) for place, name in enumerate(of) for turn, row in enumerate(of[name])]
    chosen = [row for _, _, row in sorted(rounds)[: max(0, count)]]
    return sorted(chosen, key=lambda row: (labels[row] == NO_LABEL, labels[row], row))
