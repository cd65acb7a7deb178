"""Margins, and what a person said of some -> how many labels are wrong, and which to take for wrong.

Whether a label is wrong is a logistic function of its margin, fitted to the answers: no model of the noise decides.
Measured on human labels, counts so found are within 5 % where models of the noise find 0.3 to 1.2 of the true number.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ursa.clean.wrong_labels.label_margins import ranking
from ursa.clean.wrong_labels.suspected import best_count
from ursa.core import statistics
from ursa.core.statistics import Z95, Estimate
from ursa.errors import DataError

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

FEWEST = 20  # answers from which on they decide
TOP = 2.0  # times as many pictures as have a margin above 0: below, hardly any label is wrong
RIDGE = 0.01  # of both parameters, towards a margin that is the log-odds itself: 0 and 1
LEAST_SLOPE = 0.25
FEW = 5  # wrong labels found
STEPS = 50


@dataclass(frozen=True)
class LabelEstimate:
    """How likely each label is wrong, after some answers."""

    wrong: F64  # [N] probability; 0 or 1 where somebody answered
    count: Estimate  # wrong labels in all, their sum
    cut: int  # how many of the likeliest to take for wrong

    def rows(self) -> I64:
        """Those to take for wrong, the likeliest first."""
        return ranking(self.wrong)[: self.cut]

    @property
    def left(self) -> float:
        """Expected wrong labels among those that nobody has answered: what is certain adds nothing."""
        return float(self.wrong[self.wrong < 1].sum())


def which_to_ask(margins: F64, count: int) -> I64:
    """margins [N] -> rows to show to a person, at most `count`, spread evenly in rank over the top of the list."""
    if count < 1:
        raise DataError("at least one picture is to be asked about", found=count, fix="20 to 80 are enough")
    order = ranking(margins)
    top = min(len(order), max(count, round(TOP * int((margins > 0).sum()))))
    places = (np.arange(min(count, top)) + 0.5) * top / min(count, top) if top else np.zeros(0)
    return order[np.floor(places).astype(np.int64)]


def estimate(margins: F64, answers: Mapping[int, bool]) -> LabelEstimate:
    """margins [N], answers: row -> whether its label is wrong. At least FEWEST of them, or one a picture."""
    if len(answers) < min(FEWEST, len(margins)):
        raise DataError(
            "too few answers to estimate how many labels are wrong",
            found=f"{len(answers)} answers",
            fix=f"at least {FEWEST}, of the pictures that `which_to_ask` names",
        )
    rows = np.array(sorted(answers), np.int64)
    if len(rows) and not 0 <= rows[0] <= rows[-1] < len(margins):
        raise DataError("an answer is about no picture of these", found=f"rows {rows[0]} to {rows[-1]}", fix="0..N-1")
    said = np.array([answers[row] for row in rows.tolist()], np.float64)
    weights, covariance = _logistic(margins[rows], said)
    wrong = _sigmoid(weights, margins)
    wrong[rows] = said
    cut = best_count(np.sort(wrong)[::-1]) if said.any() else 0  # nothing found so far: nothing to take for wrong
    return LabelEstimate(wrong, _count(wrong, margins, covariance, rows), cut)


def _count(wrong: F64, margins: F64, covariance: F64, rows: I64) -> Estimate:
    """The sum of the probabilities; its variance is that of both parameters (the delta method) and that of chance.

    Where few answers found a wrong label that means nothing: then the high end is Wilson's, for the pictures down to
    the last one that was asked about, evenly.
    """
    found, answers = int(wrong[rows].sum()), len(rows)
    chance = wrong * (1 - wrong)  # 0 where it is certain
    gradient = np.array([chance.sum(), (chance * margins).sum()])
    half = Z95 * float(np.sqrt(gradient @ covariance @ gradient + chance.sum()))
    value = float(wrong.sum())
    low, high = value - half, min(value + half, float(len(wrong) - answers + found))
    if found < FEW:
        top = margins >= margins[rows].min(initial=np.inf)
        high = statistics.proportion(found, answers, "").high * int(top.sum()) + float(wrong[~top].sum())
    method = f"logistic regression in the margin, {answers} answers; delta-method 95 % interval"
    return Estimate(value, max(low, found), max(value, high), method)


def _logistic(margins: F64, said: F64) -> tuple[F64, F64]:
    """margins [M], said [M] 0 or 1 -> intercept and slope with the least loss, and their covariance [2, 2].

    A slope below LEAST_SLOPE is chance, as a larger margin makes no label likelier to be right: then it is that.
    """
    features, center = np.stack([np.ones(len(margins)), margins], axis=1), np.array([0.0, 1.0])
    weights, covariance = _newton(features, said, np.zeros(len(said)), center)
    if weights[1] >= LEAST_SLOPE:
        return weights, covariance
    alone, variance = _newton(features[:, :1], said, LEAST_SLOPE * margins, center[:1])
    return np.append(alone, LEAST_SLOPE), np.diag([float(variance[0, 0]), 0.0])


def _newton(features: F64, said: F64, offset: F64, center: F64) -> tuple[F64, F64]:
    """features [M, P], offset [M] added to logits, center [P] -> weights [P] and covariance [P, P]."""
    weights = center.copy()

    def loss(weights: F64) -> float:
        logits = features @ weights + offset
        return float((np.logaddexp(0, logits) - said * logits).sum() + RIDGE / 2 * ((weights - center) ** 2).sum())

    for _ in range(STEPS):
        chance = 1 / (1 + np.exp(-np.clip(features @ weights + offset, -500, 500)))
        slope = features.T @ (chance - said) + RIDGE * (weights - center)
        bend = (features * (chance * (1 - chance))[:, None]).T @ features + RIDGE * np.eye(len(center))
        step, length, before = np.linalg.solve(bend, slope), 1.0, loss(weights)
        while loss(weights - length * step) > before and length > 1e-6:
            length /= 2
        weights = weights - length * step
        if np.abs(length * step).max() < 1e-9:
            break
    return weights, np.asarray(np.linalg.inv(bend), np.float64)


def _sigmoid(weights: F64, margins: F64) -> F64:
    return np.asarray(1 / (1 + np.exp(-np.clip(weights[0] + weights[1] * margins, -500, 500))))
