"""A learning curve -> what twice and four times the pictures would bring, with its interval.

The error at n pictures is taken for one of three laws (Viering and Loog 2023 compare them, and others):
a + b n^-c;  a + b (d + n)^-c;  (a b + c n^d) / (b + n^d). All say a part of the error that stays and a part that falls,
error = scale * (rest + (1 - rest) * g(n) / g(last)), so that all shapes of a grid are fitted at once: the scale by
weighted least squares, every other number by how well it explains the curve. Noise is that of the same held-out
pictures at all sizes, whose mistakes go together; averaging over the shapes by their likelihood forecasts better than
the single law that does best on the largest size (docs/decisions.md).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ursa.core import statistics
from ursa.core.statistics import Estimate
from ursa.diagnose.more_data.learning_curve import OF_CLASS, LearningCurve
from ursa.errors import DataError

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
Shape = Callable[[F64], F64]  # [M] numbers of pictures -> [M, G] falling, for each setting of a grid

MOST = 4.0  # times the pictures: beyond, curves that look alike so far come apart
RESTS = np.linspace(0, 0.95, 20)  # share of the error at the largest size that no number of pictures takes away
# A little rest is likelier than a large one: weight 1 - rest. Flat, the forecasts of clean sets come out too low; any
# steeper, those of sets with wrong labels too high (measured on both).
MISFIT = 0.02  # of the error: no law is true to more
FALL = 2.9  # standard errors that an earlier size may be better by: 5 % over 28 pairs of sizes, one-sided


@dataclass(frozen=True)
class Forecast:
    """The accuracy that a probe would reach."""

    times: float  # the pictures there are
    accuracy: Estimate  # cross-validated, as `ursa check` shows it
    gain: Estimate  # on the accuracy of today, of which only the laws are uncertain

    def to_json(self) -> dict[str, Any]:
        """{"times", "value", "low", "high", "method", "gain"}."""
        return {"times": self.times, **self.accuracy.to_json(), "gain": self.gain.to_json()}


def forecast(
    curve: LearningCurve, right: Bool, times: Sequence[float] = (2, 4), *, where: Bool | None = None
) -> list[Forecast]:
    """curve, right [N]: whether the probe, cross-validated, was right -> one forecast for each of times.

    The curve says by which factor errors fall from its largest size, the probe's own errors say from where; the
    interval holds both, the probe's errors by Wilson's. where [N]: of these pictures alone, such as those of a class.
    Raises DataError beyond four times the pictures, and where `not_monotone` says why.
    """
    if too_far := [each for each in times if not 1 <= each <= MOST]:
        raise DataError(
            f"a learning curve is extended to {MOST:g} times the pictures at most",
            found=f"{too_far[0]:g} times",
            fix="ask for 2 or 4 times the pictures, add some, and check again",
        )
    if reason := not_monotone(curve, where):
        raise DataError("the learning curve cannot be extended", found=reason, fix="check the labels, add pictures")
    wrong = ~curve.right if where is None else ~curve.right[:, :, where]
    groups, own = (curve.groups, right) if where is None else (curve.groups[where], right[where])
    now = statistics.proportion(int((~own).sum()), len(own), "")
    factors = error_factors(curve.sizes, wrong.mean((1, 2)), covariance(wrong, groups), times)
    method = (
        f"linear probe on {{:g}} times the pictures, by laws fitted to {len(curve.sizes)} sizes; "
        "95 % interval: Wilson's, and that of the laws"
    )
    found = []
    for each, (factor, low, high) in zip(times, factors, strict=True):
        error = now.value * factor
        more = np.hypot(factor * (now.high - now.value), now.value * (high - factor))
        less = np.hypot(factor * (now.value - now.low), now.value * (factor - low))
        ends = max(0.0, 1 - error - float(more)), min(1.0, 1 - error + float(less))
        accuracy = Estimate(1 - error, *ends, method.format(each), share=True)
        gained, least, most = (now.value * (1 - some) for some in (factor, high, low))
        found.append(
            Forecast(float(each), accuracy, Estimate(gained, least, most, "95 % interval of the laws", share=True))
        )
    return found


def forecast_classes(curve: LearningCurve, right: Bool, times: float = 2) -> dict[int, Forecast]:
    """curve, right [N] -> for each class its recall, had all classes so many times the pictures.

    Of classes with ten pictures or more whose recall does not fall along the curve.
    """
    found = {}
    for number, count in enumerate(np.bincount(curve.targets)):
        where = curve.targets == number
        if count >= OF_CLASS and not not_monotone(curve, where):
            found[number] = forecast(curve, right, (times,), where=where)[0]
    return found


def error_factors(sizes: F64, errors: F64, noise: F64, times: Sequence[float]) -> list[tuple[float, float, float]]:
    """sizes, errors [S], their covariance [S, S] -> by what the error at the last size is multiplied, and its interval.

    A factor of at most 1 for each of times: the mean over all shapes, and the 2.5 and 97.5 percentiles.
    """
    if not errors.any():
        return [(1.0, 0.0, 1.0) for _ in times]
    whiten = np.linalg.inv(np.linalg.cholesky(noise + np.diag((MISFIT * errors) ** 2 + 1e-8)))
    observed, fits, factors = whiten @ errors, [], []
    rests = RESTS[:, None]
    for shape in _laws(sizes):
        known, ahead = shape(sizes), shape(sizes[-1] * np.asarray(times, np.float64))
        curves = rests + (1 - rests) * known[:, None]  # [S, rests, G]
        seen = (whiten @ curves.reshape(len(sizes), -1)).reshape(curves.shape)
        explained = np.square(np.einsum("s,srg->rg", observed, seen)) / np.square(seen).sum(0)
        fits.append((explained / 2 + np.log(1 - rests) - np.log(known.shape[1])).ravel())
        factors.append((rests + (1 - rests) * ahead[:, None]).reshape(len(times), -1))
    fit, factor = np.concatenate(fits), np.concatenate(factors, axis=1)
    weight = np.exp(fit - fit.max())
    weight /= weight.sum()
    return [_mean_and_interval(some, weight) for some in factor]


def covariance(wrong: Bool, groups: I64) -> F64:
    """wrong [S, shuffles, N], groups [N] -> [S, S] of the mean errors: by what is held out, and by the draws.

    One picture counts as half a mistake more, so that where none was seen the noise is not nothing.
    """
    count = wrong.shape[2]
    share = wrong.mean(1)
    of_group = np.zeros((len(share), count))
    np.add.at(of_group.T, np.unique(groups, return_inverse=True)[1].reshape(-1), (share - share.mean(1)[:, None]).T)
    draws = wrong.mean(2)
    by_draw = draws.var(1, ddof=1) / draws.shape[1] if draws.shape[1] > 1 else np.zeros(len(draws))
    return np.asarray(of_group @ of_group.T / count**2 + np.diag(by_draw + (0.25 / count) ** 2))


def not_monotone(curve: LearningCurve, where: Bool | None = None) -> str:
    """Why the curve cannot be extended: a size at which fewer are right than at a smaller one, beyond noise; or ""."""
    wrong = ~curve.right if where is None else ~curve.right[:, :, where]
    noise = covariance(wrong, curve.groups if where is None else curve.groups[where])
    error = wrong.mean((1, 2))
    variance = np.diag(noise)
    rise = error[None] - error[:, None]  # [earlier, later]
    sure = np.triu(rise / np.sqrt(np.maximum(variance[:, None] + variance[None] - 2 * noise, 1e-12)), 1)
    early, late = (int(place) for place in np.unravel_index(int(sure.argmax()), sure.shape))
    if sure[early, late] <= FALL:
        return ""
    shares = (f"{100 * (1 - error[place]):.1f} % on {curve.sizes[place]:,.0f} pictures" for place in (early, late))
    return "accuracy falls along the curve, beyond chance: {}, {}".format(*shares)


def _laws(sizes: F64) -> list[Shape]:
    """The parts that fall, 1 at the last size, over grids of what they depend on."""
    first, last = float(sizes[0]), float(sizes[-1])
    powers = np.linspace(0.1, 2, 20)
    shift, shifted = (grid.ravel() for grid in np.meshgrid(np.geomspace(first / 2, last, 8), np.linspace(0.15, 3, 20)))
    half, steep = (grid.ravel() for grid in np.meshgrid(np.geomspace(first / 4, last, 12), np.linspace(0.3, 3, 12)))
    return [
        lambda n: np.asarray((n[:, None] / last) ** -powers),
        lambda n: np.asarray(((shift + n[:, None]) / (shift + last)) ** -shifted),
        lambda n: np.asarray((1 + (last / half) ** steep) / (1 + (n[:, None] / half) ** steep)),
    ]


def _mean_and_interval(values: F64, weight: F64) -> tuple[float, float, float]:
    order = np.argsort(values)
    below = np.cumsum(weight[order])
    low, high = (float(values[order[min(int(np.searchsorted(below, at)), len(order) - 1)]]) for at in (0.025, 0.975))
    mean = min(float(values @ weight), 1.0)  # the weights add up to 1 but for rounding
    return mean, min(low, mean), min(max(high, mean), 1.0)
