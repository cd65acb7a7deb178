"""Probabilities, labels -> whether what is 90 % sure is right nine times in ten, before and after a temperature."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ursa.core import seeds, statistics
from ursa.core.statistics import Estimate, softmax
from ursa.embed.linear_models.stacking import Judge
from ursa.errors import DataError

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.floating[Any]]

BINS = 15  # of as many pictures each; of equal width (Guo et al. 2017) they are nearly empty at the unsure end
REPEATS = 200


@dataclass(frozen=True)
class Reliability:
    """How sure a model was of its likeliest class, and how often that was right, from unsure to sure."""

    confidence: F64  # [B] mean probability of the likeliest class
    accuracy: list[Estimate]  # [B] share that is right
    pictures: I64  # [B]
    error: float  # expected calibration error: mean distance of both, 0 to 1
    floor: float  # what a perfectly calibrated model with these probabilities gets on average, by chance alone
    ceiling: float  # what 95 of 100 such models stay below

    @property
    def calibrated(self) -> bool:
        """Whether chance alone can explain the error."""
        return self.error <= self.ceiling

    def to_json(self) -> dict[str, Any]:
        """{"error", "floor", "ceiling", "bins": [{"pictures", "confidence", "accuracy"}]}."""
        bins = zip(self.pictures.tolist(), self.confidence.tolist(), self.accuracy, strict=True)
        return {
            "error": self.error,
            "floor": self.floor,
            "ceiling": self.ceiling,
            "bins": [{"pictures": n, "confidence": sure, "accuracy": right.to_json()} for n, sure, right in bins],
        }


def reliability(probabilities: Numbers, targets: I64, *, bins: int = BINS) -> Reliability:
    """probabilities [N, K] of pictures that the model had not seen, targets [N] -> Reliability in bins of equal mass.

    The expected calibration error of the likeliest class (Naeini et al. 2015). Few pictures in a bin are off by chance:
    floor and ceiling are those of classes drawn from the very probabilities. Raises DataError without pictures.
    """
    if not len(targets):
        raise DataError(
            "calibration is measured on pictures", found="none", fix="give some that the model has not seen"
        )
    sure = np.asarray(probabilities.max(1), np.float64)
    order = np.argsort(sure, kind="stable")
    sure, right = sure[order], (probabilities.argmax(1) == targets)[order]
    pictures = np.array([len(rows) for rows in np.array_split(order, bins) if len(rows)])
    draw = seeds.generator(0, "calibration", len(sure))
    chance = [_error(draw.random(len(sure)) < sure, sure, pictures) for _ in range(REPEATS)]
    hits = _by_bin(right, pictures).astype(int).tolist()
    return Reliability(
        _by_bin(sure, pictures) / pictures,
        [statistics.proportion(*both, "share that is right") for both in zip(hits, pictures.tolist(), strict=True)],
        pictures,
        _error(right, sure, pictures),
        float(np.mean(chance)),
        float(np.quantile(chance, 0.95)),
    )


def temperature_for(probabilities: Numbers, targets: I64) -> float:
    """probabilities [N, K], targets [N] -> T that their logarithms are divided by to be calibrated (Guo et al. 2017).

    Above 1 the model was too sure. It has the least loss on these pictures, each label smoothed by one picture in all.
    """
    judge = _judge(targets, np.zeros(len(targets), np.int64), probabilities.shape[1])
    return float(1 / judge.weights([_logits(probabilities)])[0])


def calibrated_out_of_sample(probabilities: Numbers, targets: I64, folds: I64) -> F32:
    """probabilities [N, K], targets, folds [N] -> [N, K], each row by the temperature of all other folds.

    So the calibration error after is as honest as the one before: no label changes its own probability.
    """
    logits = _logits(probabilities)
    judge, found = _judge(targets, folds, probabilities.shape[1]), np.empty_like(logits)
    for fold in np.unique(folds):
        rows = folds == fold
        found[rows] = softmax(logits[rows] * judge.weights([logits], without=int(fold))[0])
    return found


def _judge(targets: I64, folds: I64, classes: int) -> Judge:
    offset = np.zeros((int(folds.max(initial=0)) + 1, classes), np.float32)
    return Judge.of(targets, folds, offset, np.arange(len(targets)))


def _logits(probabilities: Numbers) -> F32:
    return np.log(np.maximum(probabilities, 1e-12)).astype(np.float32)


def _error(right: Bool, sure: F64, pictures: I64) -> float:
    """right, sure [N], from unsure to sure; pictures [B] of each bin -> expected calibration error."""
    return float(np.abs(_by_bin(right - sure, pictures)).sum() / len(sure))


def _by_bin(values: npt.NDArray[Any], pictures: I64) -> F64:
    """values [N], pictures [B] of each bin -> sums [B]."""
    return np.add.reduceat(values.astype(np.float64), np.cumsum(pictures) - pictures)
