"""A second run turns a suspicion into a fact, or takes it back; other verdicts it leaves alone."""

import dataclasses

import numpy as np
import pytest

from ursa.diagnose.training_verdict.confirming import confirmed
from ursa.diagnose.training_verdict.training_finding import training_verdict


def ending(history, loss, error):
    """The history, ended otherwise."""
    valid, errors = history.valid_loss.copy(), history.error.copy()
    valid[-1], errors[-1] = loss, error
    return dataclasses.replace(history, valid_loss=valid, error=errors)


@pytest.mark.parametrize(
    ("loss", "error", "better"),
    [
        (0.5, 0.20, True),  # both are lower
        (2.05, 0.60, True),  # the error alone, by far
        (1.2, 0.85, True),  # the loss alone, at the same error
        (1.89, 0.85, True),  # it fell twice as far
        (2.0, 0.84, False),  # neither beyond noise
        (0.5, 0.95, False),  # a lower loss at a higher error
        (float("nan"), float("nan"), False),
    ],
)
def test_it_is_confirmed_where_the_end_is_better_beyond_noise(drawn, loss, error, better):
    before = drawn("lr-too-low")
    verdict = training_verdict(before)
    told = confirmed(verdict, before, ending(before, loss, error), " on 64 of the 900 pictures")
    assert told.numbers["confirmed"] is better
    assert (told.kind, told.score) == (("lr-too-low", 1.0) if better else ("cannot-tell", 0.0))
    assert ("Confirmed: a run with ten times the learning rate on 64 of the 900 pictures" in told.evidence) is better
    assert told.evidence.startswith(verdict.evidence)


def test_a_tenth_that_diverges_too_does_not_acquit_the_rate(drawn):
    before = drawn("lr-too-high")
    told = confirmed(training_verdict(before), before, dataclasses.replace(before, spoiled="step 9"))
    assert (told.kind, "diverges too" in told.evidence, "lr_find" in told.advice) == ("lr-too-high", True, True)


def test_what_is_no_matter_of_rate_or_epochs_stays_as_it_is(drawn):
    for kind in ("overfitting", "training-fine", "dead-network"):
        verdict = training_verdict(drawn(kind))
        assert confirmed(verdict, drawn(kind), drawn("training-fine")) is verdict


def test_without_a_share_the_loss_decides(drawn):
    before = drawn("lr-too-low")
    blind = dataclasses.replace(before, error=np.full(len(before), np.nan), share=False)
    told = confirmed(training_verdict(before), blind, ending(blind, 0.5, np.nan))
    assert told.numbers["confirmed"]
    assert "error of" not in told.evidence.partition("Confirmed")[2]
