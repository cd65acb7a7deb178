"""Arrays in, numbers with their uncertainty out."""

import html
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ursa.core import seeds

Z95 = 1.959963984540054  # the normal quantile that leaves 2.5 % on each side


@dataclass(frozen=True)
class Estimate:
    """A number, its 95 % interval, and how both were found."""

    value: float  # NaN where there is nothing to measure
    low: float  # end of the 95 % interval
    high: float  # likewise
    method: str  # of which examples, and how the interval was found
    share: bool = False  # of examples: shown in per cent

    def to_json(self) -> dict[str, Any]:
        """{"value", "low", "high", "method"}: the form of every metric in documents; null where there is no number."""
        known = {name: part for name, part in asdict(self).items() if name != "share"}
        return {name: None if part != part else part for name, part in known.items()}  # JSON has no NaN

    def __str__(self) -> str:
        if self.share:
            return f"{100 * self.value:.1f} % ({100 * self.low:.1f} to {100 * self.high:.1f})"
        return f"{self.value:.4g} ({self.low:.4g} to {self.high:.4g})"

    def __repr__(self) -> str:
        return f"Estimate({self}; {self.method})"

    def _repr_html_(self) -> str:
        return f"<span title='{html.escape(self.method, quote=True)}'>{self}</span>"


def proportion(hits: float, total: int, method: str) -> Estimate:
    """hits of total -> share with its Wilson score interval (Wilson 1927), sound for small totals and near 0 and 1.

    hits may be a mean over several ways to count, and then is no whole number.
    """
    if total == 0:
        return Estimate(math.nan, 0.0, 1.0, f"{method}; nothing to count", share=True)
    share, z2 = hits / total, Z95 * Z95
    middle = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = Z95 / (1 + z2 / total) * math.sqrt(share * (1 - share) / total + z2 / (4 * total * total))
    low = 0.0 if hits == 0 else middle - half
    high = 1.0 if hits == total else middle + half
    return Estimate(share, low, high, f"{method}; Wilson 95 % interval", share=True)


def cross_validated(hits: int, total: int, folds: int, method: str) -> Estimate:
    """hits of total, each judged by a model that learned without its fold -> share, and the interval of the model that
    learns from all.

    The low end is Wilson's. The models of the folds are worse than that of all, by 0.3 to 3 points on 100 to 1,000
    pictures (benchmarks/coverage.py), so Wilson's high end would be too low. Errors fall at most as one over the number
    of examples (exponents of real learning curves lie between 0 and 1: Hestness et al. 2017): with K folds at least
    (K - 1) / K of them are left, and the high end is the one of so many.
    """
    plain = proportion(hits, total, method)
    if total == 0:
        return plain
    fewer = proportion(total - (total - hits) * (1 - 1 / folds), total, method)
    said = f"{method}; Wilson 95 % interval, its upper end that of a probe that learns from all folds"
    return Estimate(plain.value, plain.low, fewer.high, said, share=True)


def accuracy(
    probabilities: npt.NDArray[np.floating[Any]], targets: npt.NDArray[np.integer[Any]], method: str
) -> Estimate:
    """probabilities [N, K], targets [N] -> share of pictures whose most probable class is the given one."""
    return proportion(int((probabilities.argmax(1) == targets).sum()), len(targets), method)


def softmax(logits: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float32]:
    """logits [..., K] -> probabilities [..., K]."""
    shifted = np.exp(logits - logits.max(-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(-1, keepdims=True), dtype=np.float32)


def sigmoid(logits: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float32]:
    """logits [..., K] -> probabilities [..., K], each by itself."""
    small = np.exp(-np.abs(logits))  # never overflows
    return np.asarray(np.where(logits >= 0, 1, small) / (1 + small), dtype=np.float32)


def log_loss(probabilities: npt.NDArray[np.floating[Any]], targets: npt.NDArray[np.integer[Any]]) -> float:
    """probabilities [N, K], targets [N] -> mean negative log-likelihood in nats."""
    likelihood = probabilities[np.arange(len(targets)), targets]
    return float(-np.log(np.clip(likelihood, 1e-12, None)).mean())


def confusion(
    predicted: npt.NDArray[np.integer[Any]], targets: npt.NDArray[np.integer[Any]], classes: int
) -> npt.NDArray[np.int64]:
    """predicted [N], targets [N] -> counts [K, K]: row the given class, column the predicted one."""
    counts = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(counts, (targets, predicted), 1)
    return counts


def most_confused(counts: npt.NDArray[np.int64], names: Sequence[str], most: int) -> list[tuple[str, str, int]]:
    """confusion [K, K] -> (given, taken for, how often), the most frequent first, at most `most` of them."""
    pairs = [(a, b, int(counts[i, j])) for i, a in enumerate(names) for j, b in enumerate(names) if i != j]
    return [pair for pair in sorted(pairs, key=lambda pair: -pair[2])[:most] if pair[2]]


def per_class(counts: npt.NDArray[np.int64], names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """confusion [K, K] -> for each class its pictures, recall, precision and F1, each with an interval."""
    return {
        name: {
            "pictures": int(counts[i].sum()),
            "recall": proportion(int(counts[i, i]), int(counts[i].sum()), "recall").to_json(),
            "precision": proportion(int(counts[i, i]), int(counts[:, i].sum()), "precision").to_json(),
            "f1": f1(int(counts[i, i]), int(counts[i].sum() + counts[:, i].sum())).to_json(),
        }
        for i, name in enumerate(names)
    }


def f1(hits: int, both: int) -> Estimate:
    """hits; both: pictures of the class and pictures predicted as it, added up -> F1 = 2 * hits / both.

    F1 = 2 J / (1 + J), where J = hits / (both - hits) is a share of pictures: its Wilson interval becomes that of F1
    (the indirect method of Lam, Gopal and Qian 2023).
    """
    shared = proportion(hits, both - hits, "F1")
    low, value, high = (2 * j / (1 + j) for j in (shared.low, shared.value, shared.high))
    return Estimate(value, low, high, shared.method, share=True)


def mcnemar_exact(wins: int, losses: int) -> float:
    """Pictures that only the one got right, only the other -> two-sided exact p-value (McNemar's exact test)."""
    return min(1.0, 2 * binomial_tail(min(wins, losses), wins + losses, 0.5))


def fisher_exact(
    hits: int, total: int, other_hits: int, other_total: int, alternative: Literal["two-sided", "less"] = "two-sided"
) -> float:
    """hits of total, and of others -> exact p-value of both shares being one (Fisher 1935).

    "less": of so few hits among the first ones.
    """
    right, everything = hits + other_hits, total + other_total

    def log_chance(k: int) -> float:
        return _log_choose(right, k) + _log_choose(everything - right, total - k) - _log_choose(everything, total)

    seen = log_chance(hits) + 1e-7  # ties count, whatever their rounding
    possible = range(max(0, total - everything + right), min(total, right) + 1)
    counted = (k <= hits if alternative == "less" else log_chance(k) <= seen for k in possible)
    return min(1.0, math.fsum(math.exp(log_chance(k)) for k, counts in zip(possible, counted, strict=True) if counts))


def binomial_tail(hits: int, total: int, share: float) -> float:
    """Probability of so few hits or fewer, of `total` tries that each hit with probability `share`; 1 of no tries."""
    log_share, log_rest = math.log(share), math.log1p(-share)
    logs = (_log_choose(total, k) + k * log_share + (total - k) * log_rest for k in range(min(hits, total) + 1))
    return min(1.0, math.fsum(map(math.exp, logs)))


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def bootstrap(
    measure: Callable[[npt.NDArray[np.int64]], float], count: int, method: str, *, repeats: int = 1000, seed: int = 0
) -> Estimate:
    """measure(rows [count]) of an example's rows -> its value for all of them, with an interval from resampled rows.

    The 2.5 and 97.5 percentiles over `repeats` draws with replacement (Efron 1979), for metrics that are no proportion.
    Draws that give no number are left out.
    """
    value = float(measure(np.arange(count)))
    draw = seeds.generator(seed, "bootstrap", count)
    values = np.array([measure(draw.integers(count, size=count)) for _ in range(repeats if count else 0)])
    values = values[np.isfinite(values)]
    if not len(values):
        return Estimate(value, math.nan, math.nan, f"{method}; nothing to resample")
    low, high = np.quantile(values, (0.025, 0.975))
    return Estimate(value, float(low), float(high), f"{method}; bootstrap 95 % interval, {len(values)} draws")
