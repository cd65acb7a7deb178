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


@pytest.mark.parametrize("kind", ["training-fine", "too-few-epochs"])
@pytest.mark.parametrize("gains", [True, False])
def test_three_times_the_epochs_decide_between_too_few_and_fine(drawn, kind, gains):
    """Whatever the history looked like: what the longer run gains, or does not, is the fact."""
    before = drawn(kind)
    verdict = training_verdict(before)
    loss, error = before.valid_loss[-1], before.error[-1]
    told = confirmed(verdict, before, ending(before, 0.5 * loss if gains else 0.97 * loss, error))
    assert (told.kind, told.score) == ("too-few-epochs" if gains else "training-fine", 1.0)
    assert told.numbers["confirmed"]
    assert told.numbers["epochs"] == 3 * len(before)  # what was run
    assert "un with three times the epochs" in told.evidence
    assert ("no better" in told.evidence) is not gains
    assert ("not in more epochs" in told.advice) is not gains


def test_a_fine_training_whose_longer_run_ends_worse_stays_fine(drawn):
    before = drawn("training-fine")
    told = confirmed(training_verdict(before), before, ending(before, 3 * before.valid_loss[-1], 0.9))
    assert told.kind == "training-fine"


def test_what_is_no_matter_of_rate_or_epochs_stays_as_it_is(drawn):
    for kind in ("overfitting", "dead-network"):
        verdict = training_verdict(drawn(kind))
        assert confirmed(verdict, drawn(kind), drawn("training-fine")) is verdict


def test_without_a_share_the_loss_decides(drawn):
    before = drawn("lr-too-low")
    blind = dataclasses.replace(before, error=np.full(len(before), np.nan), share=False)
    told = confirmed(training_verdict(before), blind, ending(blind, 0.5, np.nan))
    assert told.numbers["confirmed"]
    assert "error of" not in told.evidence.partition("Confirmed")[2]
