"""Embedded pictures -> the cross-validated probe of all but the test part, and what it tells of them."""

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ursa.clean.wrong_labels.label_audit import LabelAudit, audit_labels
from ursa.core import statistics
from ursa.core.finding import Finding
from ursa.core.labels import Labels
from ursa.core.statistics import Estimate
from ursa.diagnose.abstain import Threshold, thresholds_for
from ursa.diagnose.calibration import Reliability, reliability
from ursa.diagnose.judged import Judged
from ursa.diagnose.more_data.learning_curve import too_few
from ursa.diagnose.more_data.more_pictures import MorePictures, more_pictures
from ursa.diagnose.more_data.stored_curve import stored_learning_curve
from ursa.diagnose.picture_facts import picture_facts
from ursa.diagnose.shortcuts import shortcuts
from ursa.diagnose.weak_slices import weak_slices
from ursa.embed.stored_probe import fitted_probe, repeated_probabilities
from ursa.prepared.setup import Prepared
from ursa.prepared.splitting import probe_inputs, unsealed
from ursa.recipe import Recipe

NOT_PROBED = {
    "none": "not probed: the pictures have no labels",
    "multi-label": "not probed, and no label judged: pictures have several labels",
    "regression": "not probed: the labels are numbers",
}


@dataclass(frozen=True)
class CheckedProbe:
    """What a cross-validated probe says of all but the test part."""

    labels: Labels
    accuracy: Estimate
    confusion: npt.NDArray[np.int64]  # [K, K]
    more_pictures: MorePictures
    calibration: Reliability | None = None
    thresholds: tuple[Threshold, ...] = ()
    findings: tuple[Finding, ...] = ()
    judged: Judged | None = None  # what it says of each picture out of fold
    label_audit: LabelAudit = field(default_factory=LabelAudit)


def checked_probe(ready: Prepared, recipe: Recipe) -> CheckedProbe:
    """Fits the probe, or reads it, and asks all that it can tell from the store; no picture is read."""
    part = unsealed(ready, recipe.seed)
    labels, task = part.labels, ready.catalog.task
    if task != "single-label" or not len(labels):
        why = NOT_PROBED["none" if task == "single-label" else task]
        accuracy = Estimate(math.nan, 0.0, 1.0, why, share=True)
        nothing = np.zeros((len(labels),) * 2, np.int64)
        return CheckedProbe(labels, accuracy, nothing, MorePictures.refuse(why))
    inputs = probe_inputs(part, labels, ready, recipe)
    fitted, targets, groups = fitted_probe(inputs, ready.space), inputs.targets, inputs.groups
    predicted = fitted.probabilities.argmax(1)
    right, vectors = predicted == targets, inputs.embeddings.vectors
    if reason := too_few(targets, groups):
        outlook = MorePictures.refuse(reason)
    else:
        curve = stored_learning_curve(vectors, targets, len(labels), ready.space, groups=groups, seed=recipe.seed)
        outlook = more_pictures(curve, labels, right)
    first = np.unique(groups, return_index=True)[1]  # near duplicates count once
    facts = picture_facts(part)
    repeats = repeated_probabilities(inputs, fitted, ready.space)
    label_audit = audit_labels(part.ids, labels.names, targets, repeats, vectors, groups)
    return CheckedProbe(
        labels,
        fitted.accuracy(targets),
        statistics.confusion(predicted, targets, len(labels)),
        outlook,
        reliability(fitted.probabilities[first], targets[first]),
        thresholds_for(fitted.probabilities[first], targets[first]),
        (
            *label_audit.findings,
            *shortcuts(part, facts=facts, groups=groups, seed=recipe.seed),
            *weak_slices(part, right, facts=facts),
            *outlook.findings(),
        ),
        Judged(part, labels, fitted.probabilities, fitted.probabilities, "out of fold"),
        label_audit,
    )
