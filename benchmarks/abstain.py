"""Abstaining: thresholds chosen on one half of the pictures, judged on the other half and on foreign pictures."""

import sys

import numpy as np
from common import BACKBONE, SQUEEZENET, report, shared
from learning_curve import sets
from probe import Data, embedded

from ursa.diagnose.abstain import threshold_for
from ursa.diagnose.calibration import calibrated_out_of_sample, reliability, temperature_for
from ursa.diagnose.more_data.learning_curve import nested_draws
from ursa.embed import probe

DRAWS = 10
ERRORS = (0.01, 0.02, 0.05)
FOREIGN = {"dogs_cats": "clothing", "bears_thumbs": "clothing", "clothing": "dogs_cats"}


def main() -> None:
    draws = int(sys.argv[1]) if len(sys.argv) > 1 else DRAWS
    rows, calibrations = [], []
    for name, data in sets():
        foreign = embedded(shared(FOREIGN[name]), BACKBONE, SQUEEZENET)[0] if name in FOREIGN else None
        rows += judged(name, data, foreign, draws)
        calibrations.append(calibrated(name, data))
    columns = [
        "data",
        "wanted",
        "no threshold",
        "threshold",
        "answered",
        "of those wrong",
        "worst draw",
        "above wanted",
    ]
    note = (
        f"Means over {draws} draws of a half, in per cent: threshold from the half's cross-validated probabilities, "
        "judged by the head on the other half. Above wanted: draws in which a larger share of the held-out answers is "
        "wrong than was wanted (5 % promised, beside the other half's own noise). Foreign: pictures answered of a set "
        "with none of the classes: clothing for animals, dogs and cats for clothing."
    )
    report("abstain", "Abstaining at a wanted share of wrong answers", [*columns, "foreign answered"], rows, note)
    columns = ["data", "calibration error", "temperature", "error after", "by chance", "95 % of chance below"]
    note = (
        "Of the probe's cross-validated probabilities, 15 bins of as many pictures each; after: by the temperature of "
        "the other folds."
    )
    report("calibration", "Calibration of the probe before and after another temperature", columns, calibrations, note)


def judged(name: str, data: Data, foreign: probe.F32 | None, draws: int) -> list[list[object]]:
    """A row for each wanted share of errors."""
    vectors, targets, groups = data
    classes, found = int(targets.max()) + 1, {error: list[tuple[float, ...]]() for error in ERRORS}
    for number in range(draws):
        known = half(targets, groups, number)
        fitted = probe.fit(vectors[known], targets[known], classes, groups=groups[known], seed=number)
        answers = fitted.head.probabilities(vectors[~known])
        sure, wrong = answers.max(1), answers.argmax(1) != targets[~known]
        other = fitted.head.probabilities(foreign).max(1) if foreign is not None else np.empty(0)
        for error in ERRORS:
            threshold = threshold_for(fitted.probabilities, targets[known], error).value
            answered = sure >= threshold
            share = float(wrong[answered].mean()) if answered.any() else 0.0
            strangers = float((other >= threshold).mean()) if len(other) else np.nan
            found[error].append((threshold, float(answered.mean()), share, strangers))
    return [row(f"{name} ({len(targets):,})", error, np.array(values)) for error, values in found.items()]


def row(name: str, error: float, values: np.ndarray) -> list[object]:
    """values [draws, 4]: threshold, answered, wrong of those, foreign answered."""
    there = np.isfinite(values[:, 0])
    none = f"{int((~there).sum())} of {len(values)}"
    if not there.any():
        return [name, f"{100 * error:g}", none, *[""] * 6]
    threshold, answered, wrong, foreign = values[there].T
    cells = [threshold.mean(), answered.mean(), wrong.mean(), wrong.max(), (wrong > error).mean(), foreign.mean()]
    return [name, f"{100 * error:g}", none, *("" if np.isnan(cell) else f"{100 * cell:.1f}" for cell in cells)]


def calibrated(name: str, data: Data) -> list[object]:
    vectors, targets, groups = data
    fitted = probe.fit(vectors, targets, int(targets.max()) + 1, groups=groups)
    before = reliability(fitted.probabilities, targets)
    after = reliability(calibrated_out_of_sample(fitted.probabilities, targets, fitted.folds), targets)
    figures = [before.error, temperature_for(fitted.probabilities, targets), after.error, before.floor, before.ceiling]
    return [f"{name} ({len(targets):,})", *(f"{figure:.3f}" for figure in figures)]


def half(targets: probe.I64, groups: probe.I64, seed: int) -> np.ndarray:
    """[N] True for one half of each class."""
    _, order, ends = next(nested_draws(targets, groups, seed, 0))
    known = np.zeros(len(targets), np.bool_)
    known[order[: ends[np.searchsorted(ends, len(targets) / 2)]]] = True
    return known


if __name__ == "__main__":
    main()
