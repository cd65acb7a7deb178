"""Files -> normalised batches of 32 at 224 px: Ursa against torchvision's loader and the best loop written by hand."""

import argparse
import os
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import polars as pl
import simplejpeg
import torch
from common import interleaved, median, ratio, report, shared
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

from ursa.core.prepare import FILL, Preparation, fitted
from ursa.core.threads import cores
from ursa.data.catalog import Catalog
from ursa.data.pixel_cache import PixelCache
from ursa.data.scan import read_file, with_facts
from ursa.data.sources.folder_source import from_folder
from ursa.embed.engine import one_thread
from ursa.embed.extractor import Extractor
from ursa.training.batches.picture_batches import Views

SIZE, BATCH = 224, 32
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
PREPARATION = Preparation(SIZE)  # the whole picture in the middle of a square
NORMALISE = Extractor(torch.nn.Identity(), MEAN, DEVIATION, SIZE).normalized
EPOCHS = 20


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        sets = {
            "dogs_cats": shared("dogs_cats"),
            "clothing": shared("clothing") / "train",
            "12 megapixels": phone_photos(place / "phone"),
        }
        rows = [
            measured(name, folder, place, 3 if name == "12 megapixels" else rounds) for name, folder in sets.items()
        ]
        drift = memory(from_folder(sets["dogs_cats"]))
    report(
        "pipeline",
        f"Files to normalised batches of {BATCH}, {SIZE} px, {cores()} cores, pictures a second",
        [
            "set",
            "Ursa",
            "torchvision",
            "by hand",
            "Ursa / torchvision",
            "Ursa / by hand",
            "second epoch, cached",
            "/ first",
        ],
        rows,
        "All put the whole picture into a grey square. "
        f"torchvision: `ImageFolder` and `DataLoader({cores()} workers, persistent)`, after its first epoch. By hand: "
        "threads that each read, decode with simplejpeg (with the same DCT scaling), resize with torch and normalise a "
        "batch. "
        f"Targets: 1.5 (12 megapixels: 5), 0.85, 5. Resident memory from epoch 2 to {EPOCHS} of dogs_cats: "
        f"{drift:+.1f} % (target: within 5 %).",
    )


def measured(name: str, folder: Path, place: Path, rounds: int) -> list[object]:
    catalog = from_folder(folder)
    catalog = with_facts(catalog, [read_file(file, PREPARATION)[0] for file in catalog.files()]).usable()
    files = catalog.files()
    loader = torchvision_loader(folder)

    def seconds(batches: Callable[[], Iterator[Tensor]]) -> float:
        start = time.perf_counter()
        count = sum(len(batch) for batch in batches())
        assert count == len(files), (count, len(files))
        return time.perf_counter() - start

    actions: dict[str, Callable[[], float]] = {
        "ursa": lambda: seconds(lambda: ours(catalog)),
        "torchvision": lambda: seconds(lambda: pictures_of(loader)),
        "hand": lambda: seconds(lambda: by_hand(files)),
    }
    for action in actions.values():
        action()
    seen = interleaved(rounds, **actions)
    with PixelCache(place / f"cache {name}", 8 << 30) as cache:
        seconds(lambda: ours(catalog, cache))
        cached = interleaved(rounds, first=actions["ursa"], second=lambda: seconds(lambda: ours(catalog, cache)))

    def rate(values: list[float]) -> str:
        return f"{len(files) / median(values):,.0f}"

    return [
        f"{name} ({len(files):,})",
        *(rate(seen[key]) for key in actions),
        f"{ratio(seen['torchvision'], seen['ursa']):.2f}",
        f"{ratio(seen['hand'], seen['ursa']):.2f}",
        rate(cached["second"]),
        f"{ratio(cached['first'], cached['second']):.1f}",
    ]


def pictures_of(loader: DataLoader[tuple[Tensor, Tensor]]) -> Iterator[Tensor]:
    for pictures, _ in loader:
        yield pictures


def ours(catalog: Catalog, cache: PixelCache | None = None) -> Iterator[Tensor]:
    with one_thread() as begin:
        yield from Views(catalog, PREPARATION, cache).each(BATCH, lambda v: NORMALISE(torch.from_numpy(v)), begin)


def torchvision_loader(folder: Path) -> DataLoader[tuple[Tensor, Tensor]]:
    steps = [in_a_square, transforms.ToTensor(), transforms.Normalize(MEAN, DEVIATION)]
    pictures = ImageFolder(str(folder), transforms.Compose(steps))
    return DataLoader(pictures, BATCH, num_workers=cores(), persistent_workers=True)


def in_a_square(picture: Image.Image) -> Image.Image:
    """The same view, made by Pillow as torchvision's own steps are."""
    width, height = fitted(*picture.size, SIZE)
    square = Image.new("RGB", (SIZE, SIZE), (FILL,) * 3)
    resized = picture.resize((width, height), Image.Resampling.BILINEAR)
    square.paste(resized, ((SIZE - width) // 2, (SIZE - height) // 2))
    return square


def by_hand(files: list[Path]) -> Iterator[Tensor]:
    """What one would write oneself, knowing what is fast; it trusts every file to be a plain, upright JPEG."""
    resize = torch.ops.aten._upsample_bilinear2d_aa.out

    def batch(some: list[Path]) -> Tensor:
        views = np.full((len(some), SIZE, SIZE, 3), FILL, np.uint8)
        for file, view in zip(some, views, strict=True):
            data = file.read_bytes()
            h, w, *_ = simplejpeg.decode_jpeg_header(data)
            at_least = {"min_height": 2 * SIZE} if h > w else {"min_width": 2 * SIZE}
            pixels = simplejpeg.decode_jpeg(data, "RGB", **at_least)
            width, height = fitted(w, h, SIZE)
            out = np.empty((height, width, 3), np.uint8)
            source, sized = (torch.from_numpy(array.transpose(2, 0, 1)[None]) for array in (pixels, out))
            resize(source, [height, width], False, None, None, out=sized)
            top, left = (SIZE - height) // 2, (SIZE - width) // 2
            view[top : top + height, left : left + width] = out
        return NORMALISE(torch.from_numpy(views))

    with one_thread() as begin, ThreadPoolExecutor(cores(), initializer=begin) as pool:
        waiting: deque[Future[Tensor]] = deque()
        for some in batched(files):
            waiting.append(pool.submit(batch, some))
            if len(waiting) > cores():
                yield waiting.popleft().result()
        for last in waiting:
            yield last.result()


def batched(files: list[Path]) -> Iterator[list[Path]]:
    for first in range(0, len(files), BATCH):
        yield files[first : first + BATCH]


def memory(catalog: Catalog) -> float:
    """Percent that the resident memory grows from the second to the last of EPOCHS epochs."""
    sizes = []
    for _ in range(EPOCHS):
        for _ in ours(catalog.where(pl.lit(True))):
            pass
        sizes.append(int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE"))
    return 100 * (sizes[-1] / sizes[1] - 1)


def phone_photos(folder: Path, count: int = 16, each: int = 8) -> Path:
    """JPEGs of 4000 x 3000 pixels, soft shapes under fine grain, as large as phones write them; each so many times,
    with another comment, so that no two files have the same bytes.
    """
    for number in range(count):
        draw = np.random.default_rng(number)
        coarse = Image.fromarray(draw.integers(0, 256, (30, 40, 3), np.uint8)).resize(
            (4000, 3000), Image.Resampling.BICUBIC
        )
        grain = draw.normal(0, 3, (3000, 4000, 1)).astype(np.float32)
        place = folder / str(number % 2)
        place.mkdir(parents=True, exist_ok=True)
        pixels = (np.asarray(coarse, np.float32) + grain).clip(0, 255).astype(np.uint8)
        for copy in range(each):
            Image.fromarray(pixels).save(place / f"{number}-{copy}.jpg", quality=92, comment=str(copy))
    return folder


if __name__ == "__main__":
    main()
