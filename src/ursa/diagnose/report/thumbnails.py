"""Pictures -> small copies for a page: sharp ones of those that are shown, one sheet of tiny ones for the map.

What was made is kept in the workspace under the hash of each picture's bytes, so that the next page opens no file.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ursa import sandbox
from ursa.core.picture_file import encoded
from ursa.core.prepare import Preparation
from ursa.data.catalog import Catalog
from ursa.embed.stored_arrays import read_arrays, write_arrays
from ursa.errors import DataError

Pixels = npt.NDArray[np.uint8]
Bytes = npt.NDArray[np.uint8]

# (pictures at most, px of the longer side, WebP quality): shown at 96 to 160 px, so 256 px are sharp on any screen. The
# last ones are for pictures that compress badly. Measured on dogs_cats: 10.7, 5.8 and 3.3 KB each; noise: 5 KB at last.
SIZES = ((60, 384, 70), (200, 256, 70), (200, 192, 60), (200, 192, 35), (200, 128, 20))
ROOM = 1_150_000  # bytes for all of them; with a map of 2,000 the page stays below 3 MB
MOST = 180  # pictures of a page beside those on its map

TINY = ((400, 96), (1000, 64), (1_000_000, 48))  # (pictures of the map at most, px a side): about 0.75 MB in all
SHEET_QUALITIES = (45, 20, 5)
SHEET_ROOM = 850_000  # bytes


@dataclass(frozen=True)
class Thumbnails:
    """Small copies by picture id, as WebP files. What cannot be read any more has none."""

    images: Mapping[str, bytes] = field(default_factory=dict)
    sheet: bytes = b""  # tiny ones, row by row
    columns: int = 1  # of the sheet
    tiny: int = 48  # px a side

    def data_uri(self, id: str) -> str | None:
        """What an `img` takes; None where the picture is gone."""
        image = self.images.get(id)
        return None if image is None else _data_uri(image)

    @property
    def sheet_uri(self) -> str:
        """The sheet, for a style."""
        return _data_uri(self.sheet)


def thumbnails(catalog: Catalog, shown: Iterable[str], mapped: Sequence[str], kept: Path | None = None) -> Thumbnails:
    """shown: ids of which there shall be a sharp copy; mapped: those of the sheet, in order. Ids that the catalog does
    not have are left out. kept: a file that remembers what was made."""
    rows = catalog.rows.select("id", "sha256").rows()
    keys = {id: key if key is not None else f"id {id}" for id, key in rows}
    ids = [id for id in dict.fromkeys(shown) if id in keys][:MOST]
    known = _Kept.read(kept) if kept is not None else _Kept()
    images, form = _images(catalog, ids, keys, known)
    tiny = next(px for most, px in TINY if len(mapped) <= most)
    small = _tiny(catalog, mapped, keys, tiny, known)
    name = hashlib.sha256(repr([tiny, SHEET_QUALITIES, [keys[id] for id in mapped]]).encode()).hexdigest()
    columns = max(1, round(len(mapped) ** 0.5))
    cells = [small[keys[id]] for id in mapped]
    sheet = known.sheet if name == known.name else _sheet(cells, columns, tiny) if cells else b""
    if kept is not None:
        now = _Kept({(form, keys[id]): image for id, image in images.items()}, tiny, small, name, sheet)
        if now.differs(known):
            now.write(kept)
    return Thumbnails(images, sheet, columns, tiny)


def image_uri(pixels: Pixels) -> str:
    """pixels [h, w, 3] -> what an `img` takes."""
    return _data_uri(_webp(pixels, quality=70, method=2))


def _images(catalog: Catalog, ids: list[str], keys: Mapping[str, str], known: "_Kept") -> tuple[dict[str, bytes], str]:
    """The sharp copies, in the first of SIZES that they have room in, and which one that is."""
    made: dict[str, bytes] = {}
    form = ""
    for most, side, quality in SIZES:
        if len(ids) > most:
            continue
        form = f"{side} {quality}"
        made = {id: known.images[form, keys[id]] for id in ids if (form, keys[id]) in known.images}
        for id, pixels in _read(catalog, [id for id in ids if id not in made], Preparation(side)):
            made[id] = _webp(pixels, quality, 2)
        if sum(map(len, made.values())) <= ROOM:
            break
    return made, form


def _tiny(
    catalog: Catalog, mapped: Sequence[str], keys: Mapping[str, str], tiny: int, known: "_Kept"
) -> dict[str, Pixels]:
    """By key, [tiny, tiny, 3], the middle of each picture; gray for what cannot be read."""
    small = {keys[id]: known.tiny[keys[id]] for id in mapped if known.tiny_side == tiny and keys[id] in known.tiny}
    missing = [id for id in mapped if keys[id] not in small]
    for id in missing:
        small[keys[id]] = np.full((tiny, tiny, 3), 128, np.uint8)
    for id, pixels in _read(catalog, missing, Preparation(tiny, "crop")):
        small[keys[id]] = pixels
    return {keys[id]: small[keys[id]] for id in mapped}


def _read(catalog: Catalog, ids: Sequence[str], preparation: Preparation) -> Iterable[tuple[str, Pixels]]:
    """Each picture that can be read, without the bars of its view, no larger than it is."""
    if not ids:
        return
    files = dict(catalog.rows.select("id", "path").rows())
    found = sandbox.small_copies([catalog.root / files[id] for id in ids], preparation)
    yield from ((id, pixels) for id, pixels in zip(ids, found, strict=True) if not isinstance(pixels, DataError))


def _sheet(cells: Sequence[Pixels], columns: int, tiny: int) -> bytes:
    rows = -(-len(cells) // columns)
    sheet = np.full((rows, columns, tiny, tiny, 3), 128, np.uint8)
    for number, pixels in enumerate(cells):
        sheet[divmod(number, columns)] = pixels
    pixels = sheet.swapaxes(1, 2).reshape(rows * tiny, columns * tiny, 3)
    made = b""
    for quality in SHEET_QUALITIES:
        made = _webp(pixels, quality, 0)
        if len(made) <= SHEET_ROOM:
            break
    return made


def _webp(pixels: Pixels, quality: int, method: int) -> bytes:
    return encoded(pixels, "WEBP", quality=quality, method=method)


def _data_uri(image: bytes) -> str:
    return f"data:image/webp;base64,{base64.b64encode(image).decode()}"


@dataclass(frozen=True)
class _Kept:
    """What the last page was made of."""

    images: Mapping[tuple[str, str], bytes] = field(default_factory=dict)  # by side and quality, and key
    tiny_side: int = 0
    tiny: Mapping[str, Pixels] = field(default_factory=dict)
    name: str = ""  # of the sheet: the hash of all that it shows
    sheet: bytes = b""

    def differs(self, other: "_Kept") -> bool:
        return (self.images.keys(), self.name) != (other.images.keys(), other.name)

    def write(self, path: Path) -> None:
        ends = np.cumsum([len(image) for image in self.images.values()], dtype=np.int64)
        shape = (0, self.tiny_side, self.tiny_side, 3)
        write_arrays(
            path,
            {
                "keys": _lines([f"{form} {key}" for form, key in self.images]),
                "ends": ends,
                "images": _bytes(b"".join(self.images.values())),
                "tiny_keys": _lines(list(self.tiny)),
                "tiny": np.stack([*self.tiny.values()]) if self.tiny else np.zeros(shape, np.uint8),
                "name": _lines([self.name]),
                "sheet": _bytes(self.sheet),
            },
        )

    @classmethod
    def read(cls, path: Path) -> "_Kept":
        arrays = read_arrays(path)
        if arrays is None:
            return cls()
        data, ends = arrays["images"].tobytes(), arrays["ends"].tolist()
        names = [line.split(" ", 2) for line in _texts(arrays["keys"])]
        cuts = zip([0, *ends], ends, strict=False)
        forms = [(f"{side} {quality}", key) for side, quality, key in names]
        images = {form: data[a:b] for form, (a, b) in zip(forms, cuts, strict=True)}
        small = dict(zip(_texts(arrays["tiny_keys"]), arrays["tiny"], strict=True))
        (name,) = _texts(arrays["name"]) or [""]
        return cls(images, arrays["tiny"].shape[1], small, name, arrays["sheet"].tobytes())


def _bytes(data: bytes) -> Bytes:
    return np.frombuffer(data, np.uint8)


def _lines(texts: Sequence[str]) -> Bytes:
    return _bytes("\0".join(texts).encode("utf-8", "surrogatepass"))


def _texts(data: Bytes) -> list[str]:
    text = data.tobytes().decode("utf-8", "surrogatepass")
    return text.split("\0") if text else []
