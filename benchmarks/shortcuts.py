"""How often a planted shortcut is named, and what is named without one: real pictures, one class processed."""

import io
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from common import SETS, report, shared
from PIL import Image

from ursa.data.catalog import Catalog
from ursa.data.sources.folder_source import from_folder
from ursa.diagnose.shortcuts import shortcuts
from ursa.embed.backbone import Backbone
from ursa.embed.engine import Engine
from ursa.embed.one_pass import embed
from ursa.workspace import Workspace

MOST = 200  # pictures of each class, so that the planted ones are processed in minutes
CLASSES = 4  # of each set, the first ones by name, get the plant in turn
PERMUTED = 40  # times that labels are dealt out anew: nothing tells them, so everything named is false


def encoded(picture: Image.Image) -> bytes:
    return _jpeg(picture, 55)


def resized(picture: Image.Image) -> bytes:
    return _jpeg(picture.resize((max(1, picture.width * 4 // 5), max(1, picture.height * 4 // 5))), 90)


def darkened(picture: Image.Image) -> bytes:
    return _jpeg(picture.point(lambda level: int(0.9 * level)), 90)


def untouched(picture: Image.Image) -> bytes:
    """Everything else is written anew, too: the plant is the only difference."""
    return _jpeg(picture, 90)


def main() -> None:
    rows = []
    for name in SETS:
        with tempfile.TemporaryDirectory() as place:
            base = scanned(copied(shared(name), Path(place) / "base"), Path(place) / "space")
            before = named(base)
            cells = [planted(base, Path(place), plant, before) for plant in (encoded, resized, darkened)]
            rows.append([name, len(base), *cells, permuted(base), "; ".join(strongest(before)) or "none"])
    report(
        "shortcuts",
        "Shortcuts: one class processed, named by `diagnose.shortcuts`",
        ("set", "pictures", "re-encoded", "resized by 4/5", "10 % darker", "labels at random: named", "named as it is"),
        rows,
        f"The first {CLASSES} classes of each set in turn, at most {MOST} pictures of each; all others are written "
        "anew, too. A plant counts as named where a finding of that class names a fact that was not named before, or "
        "names the same one more strongly by 3 points.",
    )


def planted(
    base: Catalog, place: Path, plant: Callable[[Image.Image], bytes], before: dict[tuple[str, str], float]
) -> str:
    labels = base.labels.names[:CLASSES]
    hits = []
    for label in labels:
        folder = place / f"{plant.__name__}-{label}"
        shutil.copytree(base.root, folder)
        for file in sorted(folder.glob(f"**/{label}/*")):
            with Image.open(file) as picture:
                file.write_bytes(plant(picture.convert("RGB")))
        after = named(scanned(folder, place / "space of plants"))
        hits.append(any(a == label and value > before.get((a, b), 0) + 0.03 for (a, b), value in after.items()))
        shutil.rmtree(folder)
    return f"{sum(hits)} of {len(hits)}"


def permuted(base: Catalog) -> str:
    labels, false = base.rows["label"], 0
    for seed in range(PERMUTED):
        order = np.random.default_rng(seed).permutation(len(base))
        false += len(named(base.with_columns(label=labels[order])))
    return f"{false} in {PERMUTED}"


def named(catalog: Catalog) -> dict[tuple[str, str], float]:
    """(class, fact) -> how well it tells."""
    return {
        (finding.numbers["label"], fact): told["value"]
        for finding in shortcuts(catalog)
        for fact, told in finding.numbers["facts"].items()
    }


def strongest(found: dict[tuple[str, str], float]) -> list[str]:
    """Of each class the fact that tells it best."""
    best: dict[str, tuple[float, str]] = {}
    for (label, fact), value in found.items():
        best[label] = max(best.get(label, (0.0, "")), (value, fact))
    return [f"{label} by {fact} ({100 * value:.0f} %)" for label, (value, fact) in sorted(best.items())]


def copied(folder: Path, to: Path) -> Path:
    """At most MOST usable pictures of each class, written anew as JPEG."""
    catalog = from_folder(folder)
    for name in catalog.labels.names:
        (to / name).mkdir(parents=True, exist_ok=True)
        files = [file for file, label in zip(catalog.files(), catalog.rows["label"], strict=True) if label == name]
        for file in files[:MOST]:
            try:
                with Image.open(file) as picture:
                    (to / name / f"{file.stem}.jpg").write_bytes(untouched(picture.convert("RGB")))
            except OSError:
                continue
    return to


def scanned(folder: Path, space: Path) -> Catalog:
    shutil.rmtree(space, ignore_errors=True)
    return embed(from_folder(folder), Engine(Backbone("pixels"), Workspace.open(folder, space)))[0].usable()


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return file.getvalue()


if __name__ == "__main__":
    main()
