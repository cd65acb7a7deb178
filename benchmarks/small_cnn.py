"""Pictures without pretrained weights: the probes of `pixels` and `small_cnn`, and the latter trained from scratch."""

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from common import SHARED, report
from PIL import Image

from ursa.data.samples import digits
from ursa.workflow.results.trained import Trained
from ursa.workflow.train import train

PHOTOS = ("clothing", "dogs_cats")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", nargs="+", default=["digits", "mnist_1000", "mnist_10000", *PHOTOS])
    arguments = parser.parse_args()
    rows = []
    for name in arguments.sets:
        with tempfile.TemporaryDirectory() as place:
            folder = pictures(name, Path(place))
            if folder is None:
                print(f"skipped: {name} is not in ../shared")
                continue
            fixed, start = run(folder, Path(place), "pixels", epochs=0), time.process_time()
            learned = run(folder, Path(place), "small_cnn")
            seconds = time.process_time() - start
            last = json.loads(learned.history.read_text())["epochs"]
            rows.append(
                [
                    name,
                    f"{learned.pictures['train']:,} / {learned.pictures['test'] or learned.pictures['valid']:,}",
                    percent(fixed.accuracy.value),
                    percent(learned.probe.value),
                    f"{percent(learned.accuracy.value)}, {learned.kept}",
                    f"{percent(last[0]['accuracy'])} to {percent(last[-1]['accuracy'])}",
                    f"{last[0]['valid_loss']:.3f} to {last[-1]['valid_loss']:.3f}",
                    f"{seconds:.0f} s",
                ]
            )
            print(rows[-1], flush=True)
    columns = ["data", "learned from / judged by", "`pixels`: probe", "`small_cnn`: probe", "kept"]
    columns += ["validation, probe to last epoch", "its log loss", "processor time"]
    note = "Photos are no simple pictures: there a pretrained backbone is what helps. Flips only for photos."
    report("small_cnn", "Without pretrained weights", columns, rows, note)


def run(folder: Path, place: Path, backbone: str, **settings: Any) -> Trained:
    """One of `ursa train`; photos are mirrored, and a test part is put aside where there is none."""
    given = dict(settings)
    if folder.name == "dogs_cats":
        given["test"] = 0.25
    if folder.name in PHOTOS and backbone == "small_cnn":
        given["hflip"] = 0.5
    where: dict[str, Any] = {"workspace": place / "space", "out": place / "model.ursa", "progress": False}
    return train(folder, backbone=backbone, recipe=given, **where)


def pictures(name: str, place: Path) -> Path | None:
    """The set as a picture folder; None where it is not at hand."""
    if name == "digits":
        return digits(place / name)
    if name in PHOTOS:
        shared = SHARED / "data" / name
        return Path(shutil.copytree(shared, place / name)) if shared.is_dir() else None
    archive = SHARED / "data" / "mnist_12k.npz"
    if not archive.is_file():
        return None
    data, count = np.load(archive), int(name.removeprefix("mnist_"))
    for part, x, y in (("train", data["x_train"][:count], data["y_train"]), ("test", data["x_valid"], data["y_valid"])):
        for number, (picture, digit) in enumerate(zip(x, y, strict=False)):
            folder = place / name / part / str(digit)
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(folder / f"{number:05}.png")
    return place / name


def percent(share: float) -> str:
    """0.987 -> "98.7 %"."""
    return f"{100 * share:.1f} %"


if __name__ == "__main__":
    main()
