"""What corrections changed: both sets of labels judge, and no more is said than both show."""

import json

import numpy as np
import pytest

from ursa.diagnose.corrections_effect import CorrectionsEffect
from ursa.diagnose.paired_accuracy import PairedAccuracy


def paired(both, after, before, neither):
    one = np.repeat([True, True, False, False], [both, after, before, neither])
    return PairedAccuracy(one, np.repeat([True, False, True, False], [both, after, before, neither]))


BETTER, WORSE, SAME = paired(70, 20, 2, 8), paired(70, 2, 20, 8), paired(70, 6, 5, 19)


@pytest.mark.parametrize(
    ("old", "corrected", "said"),
    [
        (BETTER, BETTER, "whichever labels judge it"),
        (SAME, BETTER, "if the corrections are right"),
        (WORSE, BETTER, "depends on the corrections"),
        (WORSE, SAME, "By the old labels the probe became worse"),
        (SAME, WORSE, "By the corrected labels the probe became worse"),
        (SAME, SAME, "is not shown, it may be chance"),
        (BETTER, SAME, "better by the old labels"),
    ],
)
def test_the_sentence_claims_what_both_judges_show(old, corrected, said):
    effect = CorrectionsEffect(5, 1, old, corrected)
    assert said in effect.sentence


def test_labels_and_predictions_by_name():
    old = np.array(["a", "a", "b", "b"])
    corrected = np.array(["a", "b", "b", "new"])
    before, after = np.array(["a", "a", "b", "a"]), np.array(["a", "b", "a", "new"])
    effect = CorrectionsEffect.of(old, corrected, before, after, removed=2)
    assert (effect.pictures, effect.relabeled, effect.removed) == (4, 2, 2)
    assert [one.value for one in effect.by_old.accuracies()] == [0.25, 0.75]  # after, before
    assert [one.value for one in effect.by_corrected.accuracies()] == [0.75, 0.5]
    assert [one.value for one in effect.said_before_and_after] == [0.75, 0.75]
    document = json.loads(json.dumps(effect.to_json()))
    assert document["by_corrected_labels"]["difference"]["value"] == pytest.approx(0.25)
    assert document["by_old_labels"]["before"].keys() == {"value", "low", "high", "method"}
