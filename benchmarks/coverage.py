"""Does the interval of `ursa check` hold the accuracy on untouched pictures? Draws from the shared sets.

A part of a set is drawn, its probe cross-validated as `ursa check` does it, and its head judged by all other pictures.
"""

import sys

import numpy as np
from common import report
from learning_curve import sets
from probe import Data

from ursa.core import statistics
from ursa.diagnose.more_data.learning_curve import nested_draws
from ursa.embed import probe

DRAWS = 20
SHARES = {"dogs_cats": (0.15, 0.3), "bears_thumbs": (0.25, 0.5), "clothing": (0.25, 0.5), "digits": (0.1, 0.3)}
OTHERS = (0.03, 0.1)


def main() -> None:
    draws = int(sys.argv[1]) if len(sys.argv) > 1 else DRAWS
    rows, everything = [], []
    for name, data in sets():
        for share in SHARES.get(name.split(",")[0], OTHERS):
            found = np.array([drawn(data, share, number) for number in range(draws)])
            everything.append(found)
            rows.append([name, *line(found)])
            print(rows[-1], flush=True)
    rows.append(["all", *line(np.concatenate(everything), whole=True)])
    columns = [
        "data",
        "pictures",
        "untouched",
        "cross-validated",
        "true",
        "below it",
        "above it",
        "held",
        "held, noise of the untouched allowed for",
        "plain Wilson",
    ]
    note = (
        f"Per cent, {draws} draws a row. Below and above: intervals that lie so. The accuracy on untouched pictures is "
        "itself known with an error only; allowed for, the interval is widened by it, in squares. Plain Wilson: held, "
        "noise allowed for, by an interval that leaves out that the head learns from all folds."
    )
    report("coverage", "Intervals of `ursa check` against accuracy on untouched pictures", columns, rows, note)


def drawn(data: Data, share: float, number: int) -> list[float]:
    """pictures, untouched, value, low, high, true, whether held with noise allowed for, and by plain Wilson."""
    vectors, targets, groups = data
    classes = int(targets.max()) + 1
    _, order, ends = next(nested_draws(targets, groups, 1000 + number, 0))
    rows = order[: ends[np.searchsorted(ends, len(targets) * share)]]
    rest = np.setdiff1d(np.arange(len(targets)), rows)
    fitted = probe.fit(vectors[rows], targets[rows], classes, groups=groups[rows], seed=number)
    said = fitted.accuracy(targets[rows])
    true = float((fitted.head.probabilities(vectors[rest]).argmax(1) == targets[rest]).mean())
    noise = statistics.Z95 * np.sqrt(true * (1 - true) / len(rest))
    both = (said, statistics.accuracy(fitted.probabilities, targets[rows], ""))
    held = [-np.hypot(e.value - e.low, noise) <= true - e.value <= np.hypot(e.high - e.value, noise) for e in both]
    return [len(rows), len(rest), said.value, said.low, said.high, true, *held]


def line(found: np.ndarray, whole: bool = False) -> list[object]:
    """found [draws, 8] -> cells."""
    size, rest, value, low, high, true, allowed, plain = found.T
    shares = [value.mean(), true.mean(), (high < true).mean(), (low > true).mean()]
    held = [((low <= true) & (true <= high)).mean(), allowed.mean(), plain.mean()]
    counts = ["", ""] if whole else [int(size.mean()), int(rest.mean())]
    return [*counts, *(f"{100 * cell:.1f}" for cell in shares), *(f"{100 * cell:.0f}" for cell in held)]


if __name__ == "__main__":
    main()
