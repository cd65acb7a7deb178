"""Probabilities, given labels -> how many labels to suspect before anybody has answered. A rough count, and said to be.

No fixed margin is a good cut: where 2 % are wrong the best lies near 1.5, where 40 % are, near 0. Two things are asked:

- Are labels wrong at random? If so, pictures that look sure are wrong as often as others. The labels are explained as
  drawn from sharpened probabilities, but for a share that is any other class; where this explains them clearly better
  than no such share, it says of each picture how likely its label is wrong, and the cut is where the expected F1 is
  best.
- If not, wrong labels cannot be told from hard pictures without asking. Then the cut is a share of the margin of the
  surest labels: noise of any kind makes these less sure, which lowers the cut.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ursa.clean.wrong_labels.label_margins import LEAST, LabelMargins, ranking

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

# Best over planted noise of three kinds (benchmarks/wrong_labels.py, docs/decisions.md).
SUREST = 0.98  # quantile of -margin
SHARE = 0.33  # of it: the cut
CLEARLY = 4.0  # nats of likelihood; by chance exceeded in 2 % (chi-squared, 2 degrees of freedom)
TOO_FEW = 3  # times fewer than the other cut finds: then most errors are of another kind

SHARPENED = np.geomspace(0.8, 12, 28)  # exponents of the probabilities that are tried
SEEN = 8192  # pictures that the noise is estimated from
STEPS = 40  # of bisection for a share


@dataclass(frozen=True)
class RandomNoise:
    """A share of labels that are any other class, whatever the picture."""

    share: float  # of the labels, 0 to 1
    sharpened: float  # exponent of the probabilities of the others
    gain: float  # nats by which it explains the labels better than no such share

    def wrong(self, probabilities: F32, given: I64) -> F64:
        """probabilities [N, K], given [N] -> [N] how likely each label is one of them."""
        right, wrong = _explained(probabilities, given, self.sharpened)
        right, wrong = (1 - self.share) * right, self.share * wrong
        return np.asarray(wrong / np.maximum(right + wrong, LEAST))


def suspects(probabilities: F32, given: I64, margins: LabelMargins | None = None) -> I64:
    """probabilities [N, K] out of sample, given [N] -> rows whose label is suspected, the likeliest wrong first."""
    margins = margins or LabelMargins.of(probabilities, given)
    return margins.ranked()[: suspected_count(probabilities, given, margins.margins)]


def suspected_count(probabilities: F32, given: I64, margins: F64) -> int:
    """How many of the largest margins [N] to suspect."""
    if not len(margins):
        return 0
    by_margin = int((margins > max(SHARE * float(np.quantile(-margins, SUREST)), 0.0)).sum())
    noise = random_noise(probabilities, given)
    if noise.gain <= CLEARLY:
        return by_margin
    at_random = best_count(np.sort(noise.wrong(probabilities, given))[::-1])
    return at_random if TOO_FEW * at_random > by_margin else by_margin


def random_noise(probabilities: F32, given: I64) -> RandomNoise:
    """probabilities [N, K], given [N] -> the share and exponent that explain the labels best."""
    order = ranking(probabilities[np.arange(len(given)), given].astype(np.float64))
    rows = order[np.linspace(0, len(order) - 1, min(len(order), SEEN)).round().astype(np.int64)]
    found, without = [], []
    for exponent in SHARPENED.tolist():
        right, wrong = _explained(probabilities[rows], given[rows], exponent)
        share = _likeliest_share(right, wrong)
        found.append((float(np.log((1 - share) * right + share * wrong).sum()), share, exponent))
        without.append(float(np.log(right).sum()))
    value, share, exponent = max(found)
    return RandomNoise(share, exponent, (value - max(without)) * len(given) / len(rows))


def best_count(probabilities: F64) -> int:
    """probabilities [N] of being wrong, the largest first -> how many to take, for the best expected F1.

    Of the first k, 2 * sum(first k) / (k + sum(all)). None where all are surely right.
    """
    total = float(probabilities.sum())
    if not len(probabilities) or total < 0.5:  # less than one is expected
        return 0
    return int((2 * np.cumsum(probabilities) / (np.arange(1, len(probabilities) + 1) + total)).argmax()) + 1


def _explained(probabilities: F32, given: I64, exponent: float) -> tuple[F64, F64]:
    """-> [N] probability of the given label where it is right, and where it is any other than the right one."""
    logs = np.float32(exponent) * np.log(np.maximum(probabilities, LEAST))
    logs -= logs.max(1, keepdims=True)
    np.exp(logs, out=logs)
    own = (logs[np.arange(len(given)), given] / logs.sum(1)).astype(np.float64)
    return np.maximum(own, LEAST), np.maximum(1 - own, LEAST) / (probabilities.shape[1] - 1)


def _likeliest_share(right: F64, wrong: F64) -> float:
    """The share of `wrong` in a mixture: its likelihood has one maximum, where the slope, which falls, is 0."""
    low, high = 0.0, 0.95
    for _ in range(STEPS):
        share = (low + high) / 2
        slope = float(((wrong - right) / ((1 - share) * right + share * wrong)).sum())
        low, high = (share, high) if slope > 0 else (low, share)
    return (low + high) / 2
