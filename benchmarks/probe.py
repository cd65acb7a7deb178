"""The probe against the one before: accuracy, log-loss and calibration out of sample, 5 seeds of 5 folds."""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
from common import BACKBONE, SETS, SQUEEZENET, report, shared
from previous_probe import previous_probe

from ursa.core import statistics
from ursa.data.catalog import Catalog
from ursa.data.near_duplicates import with_groups
from ursa.data.samples import digits
from ursa.embed import probe
from ursa.embed.similar_embeddings import near_duplicate_groups
from ursa.prepared.setup import Clock, Setup, prepared

SEEDS = 5
BINS = 15

Data = tuple[probe.F32, probe.I64, probe.I64]  # vectors [N, D], targets [N], groups [N]


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS
    asked: list[tuple[str, str, str, Path | None]] = [(name, name, BACKBONE, SQUEEZENET) for name in SETS]
    asked += [(f"{name}, `pixels`", name, "pixels", None) for name in ("clothing", "dogs_cats")]
    rows = [compared(row, embedded(shared(name), backbone, weights), seeds) for row, name, backbone, weights in asked]
    with tempfile.TemporaryDirectory() as place:
        digits(Path(place))
        rows.append(compared("digits, `pixels`", embedded(Path(place), "pixels", None), seeds))
    columns = [
        "data",
        "before",
        "now",
        "difference",
        "log-loss before",
        "now",
        "calibration error before",
        "now",
        "floor",
        "debiased",
    ]
    note = (
        f"Accuracy in per cent, means over {seeds} seeds of 5 folds. Calibration error: the expected one of the "
        f"likeliest class, {BINS} bins of as many pictures; its floor is what a perfectly calibrated model with these "
        "probabilities gets, by chance alone. Debiased: that of least squares, less what chance adds (Kumar et al. "
        "2019)."
    )
    report("probe", "Probe against the one before, cross-validated", columns, rows, note)


def embedded(folder: Path, backbone: str, weights: Path | None) -> Data:
    """The pictures of a folder, as the probe gets them."""
    with tempfile.TemporaryDirectory() as place:
        ready = prepared(folder, Setup.of(backbone=backbone, weights=weights, workspace=Path(place)), Clock())
        usable: Catalog = ready.catalog.usable()
        groups = with_groups(usable, near_duplicate_groups(ready.catalog, ready.embeddings).of(usable))
        return ready.embeddings.vectors, usable.targets(usable.labels), groups


def compared(name: str, data: Data, seeds: int) -> list[str]:
    """One row: both probes on the same folds."""
    vectors, targets, groups = data
    classes = int(targets.max()) + 1

    def measured(fitted: Callable[[int], probe.F32]) -> npt.NDArray[np.float64]:
        """-> accuracy in per cent, log-loss, calibration error, its floor, and debiased."""
        found = []
        for seed in range(seeds):
            p = fitted(seed)
            found.append(
                [100 * (p.argmax(1) == targets).mean(), statistics.log_loss(p, targets), *calibration(p, targets)]
            )
        return np.asarray(np.mean(found, axis=0))

    before = measured(lambda seed: previous_probe(vectors, targets, classes, groups, seed))
    now = measured(lambda seed: probe.fit(vectors, targets, classes, groups=groups, seed=seed).probabilities)
    accuracy = [f"{before[0]:.2f}", f"{now[0]:.2f}", f"{now[0] - before[0]:+.2f}"]
    loss = [f"{before[1]:.4f}", f"{now[1]:.4f}"]
    errors = [f"{before[2]:.3f}", f"{now[2]:.3f}", f"{now[3]:.3f}", f"{now[4]:.3f}"]
    return [f"{name} ({len(targets):,}, {classes} classes)", *accuracy, *loss, *errors]


def calibration(probabilities: probe.F32, targets: probe.I64, repeats: int = 200) -> tuple[float, float, float]:
    """-> expected calibration error of the likeliest class (Guo et al. 2017), that of a perfect model, and debiased.

    Bins of equal mass. The floor: classes drawn from the very probabilities, `repeats` times.
    """
    sure = probabilities.max(1).astype(np.float64)
    order = np.argsort(sure, kind="stable")
    bins = [rows for rows in np.array_split(order, BINS) if len(rows)]

    def error(right: npt.NDArray[np.bool_]) -> float:
        return float(sum(abs(float(right[rows].mean() - sure[rows].mean())) * len(rows) for rows in bins) / len(sure))

    draw = np.random.default_rng(0)
    floor = np.mean([error(draw.random(len(sure)) < sure) for _ in range(repeats)])
    right = probabilities.argmax(1) == targets
    square = 0.0
    for rows in bins:
        share = right[rows].mean()
        chance = share * (1 - share) / max(len(rows) - 1, 1)
        square += ((share - sure[rows].mean()) ** 2 - chance) * len(rows) / len(sure)
    return error(right), float(floor), float(np.sqrt(max(square, 0)))


if __name__ == "__main__":
    main()
