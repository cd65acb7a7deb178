"""What was kept, and held-out pictures -> what the card says beside the accuracy: classes, calibration, weaknesses."""

from typing import Any

import numpy as np

from ursa.core import statistics
from ursa.core.bundles.bundle_document import MOST_WEAKNESSES
from ursa.core.finding import Finding
from ursa.diagnose.calibration import reliability
from ursa.diagnose.gaps import MISMATCH, OVERFITTING, Gaps
from ursa.diagnose.judged import Judged
from ursa.diagnose.training_verdict.rules import FINE, UNCLEAR
from ursa.diagnose.weak_slices import weak_slices

WORST = 5  # classes that are named at most


def card_facts(judged: Judged, training: Finding | None, gaps: Gaps) -> dict[str, Any]:
    """ "per_class", "calibration" and "weaknesses" of a bundle's document.

    training: the verdict on the training; None where nothing was trained.
    """
    sure = reliability(judged.after, judged.targets)
    numbers = {"error": sure.error, "by_chance": sure.floor, "pictures": len(judged.targets)}
    said = [*_classes(judged), *_slices(judged), *_training(training)]
    if gaps.largest is not None and gaps.largest.name in (MISMATCH, OVERFITTING):  # others are the trainer's matter
        said.append(gaps.evidence)
    return {"per_class": _per_class(judged), "calibration": numbers, "weaknesses": said[:MOST_WEAKNESSES]}


def _per_class(judged: Judged) -> dict[str, dict[str, Any]]:
    scores = statistics.per_class(judged.confusion, judged.labels.names)
    return {
        name: {key: one[key] for key in ("pictures", "recall", "precision")}
        for name, one in scores.items()
        if one["pictures"]
    }


def _classes(judged: Judged) -> list[str]:
    """Classes that are recognized less often than pictures on average, beyond what chance explains."""
    names, confusion = judged.labels.names, judged.confusion
    scores = statistics.per_class(confusion, names)
    worse = [
        (one["recall"]["value"], row, name)
        for row, (name, one) in enumerate(scores.items())
        if one["pictures"] and one["recall"]["high"] < judged.accuracy.value
    ]
    said = []
    for _, row, name in sorted(worse)[:WORST]:
        low, value, high = (100 * scores[name]["recall"][key] for key in ("low", "value", "high"))
        others = np.where(np.arange(len(names)) == row, 0, confusion[row])
        taken = f", most often taken for {names[int(others.argmax())]}" if others.any() else ""
        said.append(f"Of {name}, {value:.0f} % are recognized (95 % interval {low:.0f} to {high:.0f} %){taken}.")
    return said


def _slices(judged: Judged) -> list[str]:
    right = judged.after.argmax(1) == judged.targets
    return [finding.evidence for finding in weak_slices(judged.catalog, right)]


def _training(training: Finding | None) -> list[str]:
    return [] if training is None or training.kind in (FINE, UNCLEAR) else [training.evidence]
