"""How often the warning that an augmentation swaps classes is right: on digits, photos, and arrows drawn here."""

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from common import BACKBONE, SHARED, SQUEEZENET, report, shared
from PIL import Image, ImageDraw

from ursa.data.sources.constructors import Catalog
from ursa.embed.backbone import Backbone
from ursa.embed.engine import Engine
from ursa.embed.one_pass import embed
from ursa.recipe import AugmentSettings
from ursa.training.augment.label_safety import unsafe_augmentations
from ursa.workspace import Workspace

SEEDS = range(10, 13)  # not those that the rule was chosen on
AUGMENT = AugmentSettings(hflip=0.5, vflip=0.5, rotate90=0.5, rotate=10.0)
LEFT_RIGHT = "mirrored left and right"
UP_DOWN = "mirrored up and down"
HALF = "turned by 180 degrees"
# What each change really swaps. Of handwritten digits a 2 mirrored either way is a 5 of sorts (on a clock's display
# exactly), so naming that pair counts neither way.
SWAPS = {
    "digits": {HALF: [("6", "9")]},
    "arrows, 2 ways": {LEFT_RIGHT: [("left", "right")], HALF: [("left", "right")]},
    "arrows, 4 ways": {
        LEFT_RIGHT: [("left", "right")],
        UP_DOWN: [("down", "up")],
        HALF: [("left", "right"), ("down", "up")],
        "turned by 90 degrees": [("right", "up"), ("left", "up"), ("down", "left"), ("down", "right")],
    },
}
MAY = {("2", "5")}
WAYS = {"right": 0, "up": 90, "left": 180, "down": 270}


def main() -> None:
    shared("dogs_cats")
    sets: list[tuple[str, str, Callable[[Path, int], Path]]] = [
        ("digits", "pixels", digits),
        ("arrows, 2 ways", "pixels", lambda root, seed: arrows(root, seed, ("left", "right"))),
        ("arrows, 4 ways", "pixels", lambda root, seed: arrows(root, seed, tuple(WAYS))),
        ("arrows, 2 ways", BACKBONE, lambda root, seed: arrows(root, seed, ("left", "right"))),
        ("dogs_cats", BACKBONE, lambda root, seed: some("dogs_cats", root, seed)),
        ("bears_thumbs", BACKBONE, lambda root, seed: some("bears_thumbs", root, seed)),
        ("clothing", BACKBONE, lambda root, seed: some("clothing/train", root, seed)),
    ]
    rows = []
    for name, backbone, make in sets:
        due = named = wrong = neither = 0
        for seed in SEEDS:
            with tempfile.TemporaryDirectory() as place:
                found = warnings(make(Path(place), seed), backbone, seed)
            truth = {(change, pair) for change, pairs in SWAPS.get(name, {}).items() for pair in pairs}
            due, named = due + len(truth), named + len(truth & found)
            wrong += sum(pair not in MAY for _, pair in found - truth)
            neither += sum(pair in MAY for _, pair in found - truth)
            print(name, backbone, seed, "missed", truth - found, "beyond", found - truth)
        rows.append([name, backbone, f"{named} of {due}", wrong, neither])
    columns = ["pictures", "backbone", "swaps named", "wrongly named", "2 and 5 named"]
    note = (
        f"{len(SEEDS)} samples each, with flips left-right and up-down, quarter turns and turns by 10 degrees all "
        "switched on; 400 to 1,000 pictures. Each pair of classes counts once for a change."
    )
    report("harm", "Augmentations that change labels", columns, rows, note)


def warnings(folder: Path, backbone: str, seed: int) -> set[tuple[str, tuple[str, str]]]:
    space = Workspace.open(folder, None)
    engine = Engine(Backbone(backbone, SQUEEZENET if backbone == BACKBONE else None), space, "fp32")
    catalog, embeddings = embed(Catalog.from_folder(folder), engine)
    usable = catalog.usable()
    preparation = engine.about.preparation
    found = unsafe_augmentations(usable, usable.labels, embeddings.vectors, engine, preparation, AUGMENT, seed)
    return {(_short(f.numbers["change"]), tuple(sorted(f.numbers["classes"]))) for f in found}


def _short(change: str) -> str:
    return change.replace(" counter-clockwise", "").replace(" clockwise", "")


def digits(root: Path, seed: int) -> Path:
    arrays = list(np.load(SHARED / "data" / "mnist_12k.npz").values())[:2]
    pictures, labels = sorted(arrays, key=lambda array: -array.ndim)
    rows = np.random.default_rng(seed).permutation(len(labels))[:1000]
    return write(root, ((str(int(labels[i])), pictures[i].reshape(28, 28)) for i in rows))


def some(name: str, root: Path, seed: int) -> Path:
    files = sorted(f for f in (SHARED / "data" / name).rglob("*") if f.is_file())
    for row in np.random.default_rng(seed).permutation(len(files))[:400]:
        target = root / files[row].parent.name / files[row].name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(files[row].read_bytes())
    return root


def arrows(root: Path, seed: int, ways: tuple[str, ...]) -> Path:
    draw = np.random.default_rng(seed)

    def one(way: str) -> np.ndarray:
        image = Image.new("RGB", (96, 96), tuple(int(n) for n in draw.integers(0, 120, 3)))
        pen, angle = ImageDraw.Draw(image), np.deg2rad(WAYS[way] + draw.normal(0, 8))
        along, middle, length = (
            np.array([np.cos(angle), -np.sin(angle)]),
            48 + draw.normal(0, 6, 2),
            draw.uniform(22, 34),
        )
        tip, across = middle + along * length, np.array([-along[1], along[0]])
        color = tuple(int(n) for n in draw.integers(140, 256, 3))
        pen.line([tuple(middle - along * length), tuple(tip)], fill=color, width=6)
        pen.polygon(
            [tuple(tip + 6 * along), tuple(tip - 12 * along + 12 * across), tuple(tip - 12 * (along + across))],
            fill=color,
        )
        return np.clip(np.asarray(image) + draw.normal(0, 10, (96, 96, 3)), 0, 255).astype(np.uint8)

    return write(root, ((way, one(way)) for way in np.resize(ways, 400).tolist()))


def write(root: Path, pictures: Iterable[tuple[str, np.ndarray]]) -> Path:
    for number, (name, pixels) in enumerate(pictures):
        (root / name).mkdir(exist_ok=True)
        Image.fromarray(pixels).save(root / name / f"{number:04}.png")
    return root


if __name__ == "__main__":
    main()
