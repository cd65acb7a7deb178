"""Forecasts from a quarter of the pictures to all, against what the probe then reaches; and what a curve costs."""

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from common import BACKBONE, SHARED, SQUEEZENET, report, shared
from PIL import Image
from probe import Data, embedded

from ursa.data.samples import digits
from ursa.diagnose.more_data.forecast import forecast, forecast_classes, not_monotone
from ursa.diagnose.more_data.learning_curve import learning_curve, nested_draws
from ursa.embed import probe

DRAWS = 10
WRONG = 0.1  # of the labels, in the rows with wrong ones: there the curve ends in a plateau


def main() -> None:
    draws = int(sys.argv[1]) if len(sys.argv) > 1 else DRAWS
    rows = [row for name, data in sets() for row in compared(name, data, draws)]
    columns = ["data", "a quarter", "the whole", "forecast off by", "on average", "inside", "width"]
    columns += ["sampling alone", "recalls off by", "inside", "refused", "CPU s of a curve"]
    note = (
        f"{draws} draws of a quarter each; accuracy of the cross-validated probe in per cent, errors in points. Off "
        "by: mean distance of the forecast for four times the pictures from the whole's accuracy. Inside: how often "
        "that lies in the interval. Sampling alone: what a forecast is off by that knows by which factor errors fall: "
        "a quarter's own errors are counted on few pictures. CPU seconds: of the curve of the whole, on one thread."
    )
    report("learning_curve", "Learning curve: forecast from a quarter of the pictures to all", columns, rows, note)


def sets() -> Iterator[tuple[str, Data]]:
    """The sets, each embedded."""
    for name in ("dogs_cats", "bears_thumbs", "clothing"):
        yield name, embedded(shared(name), BACKBONE, SQUEEZENET)
    with tempfile.TemporaryDirectory() as place:
        digits(Path(place))
        yield "digits, `pixels`", embedded(Path(place), "pixels", None)
    with tempfile.TemporaryDirectory() as place:
        known = np.load(SHARED / "data" / "mnist_12k.npz")
        for number, (pixels, label) in enumerate(zip(known["x_train"], known["y_train"], strict=True)):
            (Path(place) / str(label)).mkdir(exist_ok=True)
            Image.fromarray(pixels).save(Path(place) / str(label) / f"{number:05}.png")
        yield "mnist_12k, `pixels`", embedded(Path(place), "pixels", None)


def compared(name: str, data: Data, draws: int) -> Iterator[list[object]]:
    """One row; for the smaller sets also one with wrong labels."""
    vectors, targets, groups = data
    yield measured(name, data, draws)
    if len(targets) < 2000 and not name.startswith("clothing"):
        draw = np.random.default_rng(0)
        classes = int(targets.max()) + 1
        moved = (targets + draw.integers(1, classes, len(targets))) % classes
        wrong = draw.random(len(targets)) < WRONG
        yield measured(
            f"{name}, {WRONG:.0%} of labels wrong", (vectors, np.where(wrong, moved, targets), groups), draws
        )


def measured(name: str, data: Data, draws: int) -> list[object]:
    vectors, targets, groups = data
    classes = int(targets.max()) + 1
    begin = time.thread_time()
    learning_curve(vectors, targets, classes, groups=groups)
    seconds = time.thread_time() - begin
    right = correct(vectors, targets, groups, classes)
    whole, recalls = right.mean(), [right[targets == k].mean() for k in range(classes)]
    now, found, of_class, refused = [], [], [], 0
    for number in range(draws):
        rows = quarter(targets, groups, number)
        part = vectors[rows], targets[rows], groups[rows]
        hits = correct(*part, classes)
        curve = learning_curve(part[0], part[1], classes, groups=part[2])
        now.append(hits.mean())
        if not_monotone(curve):
            refused += 1
            continue
        ahead = forecast(curve, hits, (4,))[0].accuracy
        found.append((ahead.value - whole, ahead.low <= whole <= ahead.high, ahead.high - ahead.low))
        for k, each in forecast_classes(curve, hits, 4).items():
            recall = each.accuracy
            of_class.append((abs(recall.value - recalls[k]), recall.low <= recalls[k] <= recall.high))
    factor = (1 - whole) / (1 - np.mean(now))
    off, of_class_off = np.array(found, float), np.array(of_class, float).mean(0)
    return [
        f"{name} ({len(targets):,}, {classes} classes)",
        *(f"{100 * value:.1f}" for value in (np.mean(now), whole)),
        f"{100 * np.abs(off[:, 0]).mean():.2f}",
        f"{100 * off[:, 0].mean():+.2f}",
        f"{100 * off[:, 1].mean():.0f} %",
        f"{100 * off[:, 2].mean():.1f}",
        f"{100 * np.abs((1 - np.array(now)) * factor - (1 - whole)).mean():.2f}",
        f"{100 * of_class_off[0]:.1f}",
        f"{100 * of_class_off[1]:.0f} %",
        refused,
        f"{seconds:.1f}",
    ]


def correct(vectors: probe.F32, targets: probe.I64, groups: probe.I64, classes: int) -> np.ndarray:
    """[N] whether the cross-validated probe is right."""
    return np.asarray(probe.fit(vectors, targets, classes, groups=groups).probabilities.argmax(1) == targets)


def quarter(targets: probe.I64, groups: probe.I64, seed: int) -> probe.I64:
    """Rows of a quarter, in which each class has its share."""
    _, order, ends = next(nested_draws(targets, groups, seed, 0))
    return np.sort(order[: ends[np.searchsorted(ends, len(targets) / 4)]])


if __name__ == "__main__":
    main()
