"""Near copies planted among the shared photos: how many are found, by kind, and how many distinct pictures are tied."""

import argparse
import io
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from common import BACKBONE, SQUEEZENET, report, shared
from PIL import Image, ImageEnhance, ImageOps

from ursa.core import seeds
from ursa.core.decoding import image
from ursa.core.threads import chunks
from ursa.data.near_duplicates import NearDuplicates
from ursa.data.near_duplicates import near_duplicates as by_hash
from ursa.data.sources.folder_source import from_folder
from ursa.embed.backbone import Backbone
from ursa.embed.engine import Engine
from ursa.embed.one_pass import embed
from ursa.embed.similar_embeddings import near_duplicate_groups
from ursa.errors import DataError
from ursa.workspace import Workspace

SETS = ("dogs_cats", "clothing", "bears_thumbs")
SEEN = (  # looked at by hand, 2026-11-21
    "five are true (four pictures that the sets hold twice, one crop of the same photo), one is false, two skirts on "
    "white: 0.07 % of the originals."
)
Draw = np.random.Generator


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--each", type=int, default=220, help="planted copies of each kind, all of different pictures")
    each = parser.parse_args().each
    with tempfile.TemporaryDirectory() as temporary:
        folder, originals = Path(temporary) / "pictures", gathered(Path(temporary) / "pictures")
        sources = plant(folder, originals, each)
        space = Workspace.open(folder, Path(temporary) / "space")
        catalog, embeddings = embed(from_folder(folder), Engine(Backbone(BACKBONE, SQUEEZENET), space))
        start = time.perf_counter()
        both = near_duplicate_groups(catalog, embeddings)
        seconds = time.perf_counter() - start
        hashes = by_hash(catalog)
    place = {id: row for row, id in enumerate(catalog.ids)}
    rows = [
        [kind, len(pairs), *(f"{100 * found(copies, pairs, place):.1f} %" for copies in (hashes, both))]
        for kind, pairs in sources.items()
    ]
    every = [pair for pairs in sources.values() for pair in pairs]
    rows.append(["all", len(every), *(f"{100 * found(copies, every, place):.1f} %" for copies in (hashes, both))])
    for name, copies in (("hash", hashes), ("both", both)):
        for group in chance(copies, sources):
            print(name, group)
    rows.append(
        ["groups with several originals", "", *(str(len(chance(copies, sources))) for copies in (hashes, both))]
    )
    report(
        "near_copies",
        f"Near copies: {len(originals):,} shared photos and {len(every):,} planted copies of them",
        ["kind", "planted", "tied, hash alone", "tied, hash and embeddings"],
        rows,
        f"Crops keep 80 to 90 % of the area; JPEG and WebP have quality 30 to 90. {seconds:.1f} s for all, embeddings "
        f"given. Groups that hold several originals are printed; each was looked at: {SEEN}",
    )


def gathered(folder: Path) -> list[Path]:
    """The readable pictures of the shared sets, copied together."""
    found: list[Path] = []
    for name in SETS:
        for file in sorted(path for path in shared(name).rglob("*") if path.is_file()):
            try:
                image.read(file.read_bytes(), at_least=32)
            except DataError:
                continue
            (folder / "original").mkdir(parents=True, exist_ok=True)
            to = folder / "original" / f"{name}-{len(found):05}.jpg"
            shutil.copy(file, to)
            found.append(to)
    return found


def plant(folder: Path, originals: list[Path], each: int) -> dict[str, list[tuple[str, str]]]:
    """Writes copies; -> kind: (id of the original, id of the copy)."""
    order = seeds.generator(0, "plant").permutation(len(originals))
    each = min(each, len(order) // len(KINDS))
    jobs = [(kind, int(row)) for k, kind in enumerate(KINDS) for row in order[k * each : (k + 1) * each]]
    sources: dict[str, list[tuple[str, str]]] = {kind: [] for kind in KINDS}

    def write(job: tuple[str, int]) -> tuple[str, str, str]:
        kind, row = job
        to = folder / "planted" / f"{kind.replace(' ', '_').replace(',', '')}-{row:05}.jpg"
        to.parent.mkdir(exist_ok=True)
        picture = Image.fromarray(image.read(originals[row].read_bytes()).pixels)
        to.write_bytes(KINDS[kind](picture, seeds.generator(0, kind, row)))
        return kind, f"original/{originals[row].name}", f"planted/{to.name}"

    for some in chunks(jobs, write):
        for kind, one, other in some:
            sources[kind].append((one, other))
    return sources


def found(copies: NearDuplicates, pairs: list[tuple[str, str]], place: dict[str, int]) -> float:
    """Share of the pairs that are in one group."""
    return float(np.mean([copies.groups[place[one]] == copies.groups[place[other]] for one, other in pairs]))


def chance(copies: NearDuplicates, sources: dict[str, list[tuple[str, str]]]) -> list[list[str]]:
    """Groups that hold more than one original."""
    origin = {copy: original for pairs in sources.values() for original, copy in pairs}
    groups = [[copies.ids[row] for row in rows] for rows in copies.members()]
    return [group for group in groups if len({origin.get(id, id) for id in group}) > 1]


def encoded(picture: Image.Image, quality: int = 88, kind: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, quality=quality)
    return buffer.getvalue()


def cropped(picture: Image.Image, draw: Draw) -> Image.Image:
    """80 to 90 % of the area, anywhere, of nearly any shape."""
    area, shape = draw.uniform(0.8, 0.9), draw.uniform(0, 1)
    w = area**shape
    h = area / w
    x, y = draw.uniform(0, 1 - w), draw.uniform(0, 1 - h)
    width, height = picture.size
    return picture.crop((round(x * width), round(y * height), round((x + w) * width), round((y + h) * height)))


def scaled(picture: Image.Image, by: float) -> Image.Image:
    size = max(8, round(picture.width * by)), max(8, round(picture.height * by))
    return picture.resize(size, Image.Resampling.LANCZOS)


def bordered(picture: Image.Image, draw: Draw) -> Image.Image:
    width = round(draw.uniform(0.03, 0.08) * min(picture.size))
    return ImageOps.expand(picture, width, fill=("white", "black")[int(draw.integers(2))])


def brighter(picture: Image.Image, draw: Draw) -> Image.Image:
    return ImageEnhance.Brightness(picture).enhance(float(draw.uniform(0.8, 1.25)))


def quality(draw: Draw) -> int:
    return int(draw.integers(30, 91))


KINDS: dict[str, Callable[[Image.Image, Draw], bytes]] = {
    "JPEG again": lambda p, d: encoded(p, quality(d)),
    "WebP": lambda p, d: encoded(p, quality(d), "WEBP"),
    "smaller, 25 to 90 %": lambda p, d: encoded(scaled(p, d.uniform(0.25, 0.9))),
    "larger, 110 to 200 %": lambda p, d: encoded(scaled(p, d.uniform(1.1, 2))),
    "squashed to a square": lambda p, _: encoded(p.resize((256, 256))),
    "brightness 80 to 125 %": lambda p, d: encoded(brighter(p, d)),
    "grey": lambda p, _: encoded(p.convert("L")),
    "mirror image": lambda p, _: encoded(ImageOps.mirror(p)),
    "crop": lambda p, d: encoded(cropped(p, d)),
    "crop of mirror image": lambda p, d: encoded(cropped(ImageOps.mirror(p), d)),
    "crop, smaller, JPEG": lambda p, d: encoded(scaled(cropped(p, d), d.uniform(0.4, 0.9)), quality(d)),
    "border, 3 to 8 %": lambda p, d: encoded(bordered(p, d)),
}


if __name__ == "__main__":
    main()
