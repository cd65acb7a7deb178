"""A history has one verdict, said with its numbers; what a history does not bear is not said."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.diagnose.training_verdict.drawn_histories import records_of
from ursa.core.finding import KINDS
from ursa.diagnose.training_verdict import rules
from ursa.diagnose.training_verdict.signals import signals
from ursa.diagnose.training_verdict.training_finding import PRECISION, training_verdict
from ursa.diagnose.training_verdict.training_history import NetworkFacts, from_records
from ursa.diagnose.training_verdict.verdict_words import SENTENCES, Remedies

SAID = {  # in the evidence; in the advice
    "lr-too-high": ("42.2 at a learning rate of 0.01", "lr=0.001"),
    "lr-too-low": ("learning rate of 0.01", "lr=0.1"),
    "too-few-epochs": ("second half of 3 epochs", "epochs=9"),
    "overfitting": ("standard error", "Keep the weights of epoch"),
    "predicts-one-class": ("100 % of the validation examples", "class_weights"),
    "dead-network": ("100 % of the units", "batch of inputs"),
    "no-better-than-chance": ("guessing (90 %)", "beside their labels"),
    "training-fine": ("6 % (standard error 1.1 % on 500 examples)", "data"),
}


@pytest.mark.parametrize("kind", SAID)
def test_each_fault_is_named_with_its_numbers_and_the_next_step(drawn, kind):
    finding = training_verdict(drawn(kind))
    assert finding.kind == kind
    assert SAID[kind][0] in finding.evidence
    assert SAID[kind][1] in finding.advice
    assert finding.score == PRECISION[kind]
    json.dumps(finding.to_json(), allow_nan=False)


@pytest.mark.parametrize("kind", SAID)
def test_epochs_alone_tell_it_too(drawn, kind):
    assert training_verdict(drawn(kind, steps=False)).kind == kind


def test_every_verdict_has_its_words_and_its_measured_precision():
    names = {rules.LR_TOO_HIGH, rules.LR_TOO_LOW, rules.TOO_FEW, rules.OVERFITTING, rules.ONE_CLASS, rules.DEAD}
    names |= {rules.CHANCE, rules.FINE}
    assert names == SENTENCES.keys() == PRECISION.keys() == SAID.keys()
    assert names | {rules.UNCLEAR} <= KINDS.keys()


def test_a_training_loss_on_either_side_of_the_validation_loss_is_no_fault(drawn):
    """Far below: it has learned its examples by heart. Far above: augmentation and dropout made them harder."""
    for factor in (0.01, 1.0, 8.0):
        history = drawn("training-fine")
        change = {"train_loss": history.train_loss * factor, "step_loss": history.step_loss}
        if factor > 1:  # as label smoothing does: it never falls below a floor
            change = {"train_loss": history.train_loss + 0.5, "step_loss": history.step_loss + 0.5}
        assert training_verdict(dataclasses.replace(history, **change)).kind == "training-fine"


def test_a_validation_loss_that_rises_at_the_same_error_is_confidence_not_overfitting(drawn):
    history = drawn("training-fine")
    surer = dataclasses.replace(history, valid_loss=history.valid_loss + 0.05 * history.epoch)
    assert surer.valid_loss[-1] > 1.5 * surer.valid_loss.min()
    assert training_verdict(surer).kind == "training-fine"
    blind = dataclasses.replace(surer, error=np.full(len(surer), np.nan), metric="", share=False)
    said = training_verdict(blind)
    assert (said.kind, "accuracy" in said.advice) == ("cannot-tell", True)


def test_a_rise_within_the_noise_of_the_validation_part_is_none(drawn):
    """15 points are many on 500 examples, and nothing on 30."""
    assert training_verdict(drawn("overfitting")).kind == "overfitting"
    few = drawn("overfitting", valid_count=30)
    assert signals(few).noise > 0.05
    small = dataclasses.replace(few, error=few.error.min() + (few.error - few.error.min()) / 4)
    assert training_verdict(small).kind != "overfitting"


def test_what_a_history_does_not_bear_is_not_said(drawn):
    fine = drawn("training-fine")
    none = np.full(len(fine), np.nan)
    cases = {
        "no validation part": dataclasses.replace(fine, valid_loss=none, error=none, start=(np.nan, np.nan)),
        "3 examples": drawn("training-fine", valid_count=3),
        "has 3 examples": from_records(
            [{"epoch": e, "train_loss": 1.6 * 0.6**e, "valid_loss": 0.9, "accuracy": 2 / 3} for e in range(1, 5)],
            facts=NetworkFacts(classes=3, valid_count=3),
        ),
        "No epoch": from_records([]),
        "One epoch": from_records([{"epoch": 1, "train_loss": 1.0, "valid_loss": 0.9, "accuracy": 0.5}]),
        "epoch 1 already": from_records([{"epoch": 1, "train_loss": float("nan")}]),
        "unlikely to beat": drawn("too-few-epochs", stopped=True),
    }
    for words, history in cases.items():
        finding = training_verdict(history)
        assert (finding.kind, finding.score) == ("cannot-tell", 0.0), words
        assert words in finding.evidence
        assert finding.advice


def test_a_loss_that_is_lost_is_a_rate_too_high_even_without_an_epoch(drawn):
    records = [{"epoch": e, "train_loss": 2.0 if e < 4 else float("nan"), "valid_loss": 2.0} for e in range(1, 7)]
    finding = training_verdict(from_records(records))
    assert (finding.kind, "epoch 4" in finding.evidence) == ("lr-too-high", True)
    steps = [{"loss": 2.3, "lr": 0.5}, {"loss": float("inf"), "lr": 0.5}]
    finding = training_verdict(from_records([{"epoch": 0, "valid_loss": 2.3}], steps))
    assert (finding.kind, finding.numbers["lr"]) == ("lr-too-high", 0.05)
    assert "step 2" in finding.evidence
    assert not training_verdict(drawn("training-fine")).evidence.startswith("The loss became")


def test_a_network_that_could_do_it_before_is_not_called_too_slow(drawn):
    """A fine-tuning has no early fall; where it ends worse than it began, the rate was too high."""
    flat = [{"epoch": e, "train_loss": 0.6, "valid_loss": 0.2, "accuracy": 0.95} for e in range(6)]
    known = NetworkFacts(classes=10, valid_count=500, pretrained=True, lr=1e-3)
    unmoved = training_verdict(from_records(flat, facts=known), Remedies("--lr {}", "--epochs {}", "ursa train bears"))
    assert unmoved.kind == "cannot-tell"
    assert "ursa train bears --lr 0.01" in unmoved.advice
    moved = [{**row, "valid_loss": 0.2 - 0.01 * row["epoch"] * (row["epoch"] < 3)} for row in flat]
    assert training_verdict(from_records(moved, facts=known)).kind == "training-fine"
    worse = [{**row, "accuracy": 0.95 - 0.02 * row["epoch"]} for row in moved]
    finding = training_verdict(from_records(worse, facts=known))
    assert (finding.kind, "from 5 % before the first step to 15 %" in finding.evidence) == ("lr-too-high", True)


NUMBERS = st.one_of(st.none(), st.just("text"), st.floats(), st.floats(0, 3), st.integers(-5, 10**400))
RECORDS = st.lists(
    st.dictionaries(st.sampled_from(["epoch", "train_loss", "valid_loss", "accuracy"]), NUMBERS), max_size=12
)
STEPS = st.lists(st.dictionaries(st.sampled_from(["loss", "lr"]), NUMBERS), max_size=30)


@settings(max_examples=150, deadline=None)
@given(RECORDS, STEPS, st.sampled_from([None, 2, 10]), st.sampled_from([None, 1, 300]), st.booleans())
def test_whatever_was_logged_has_one_readable_answer(records, steps, classes, count, pretrained):
    facts = NetworkFacts(classes=classes, valid_count=count, pretrained=pretrained)
    finding = training_verdict(from_records(records, steps, facts=facts))
    assert finding.kind in KINDS
    assert finding.evidence.endswith((".", ")"))
    assert finding.advice
    json.dumps(finding.to_json(), allow_nan=False)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(sorted(SAID)), st.integers(0, 1000))
def test_a_little_noise_changes_no_verdict(kind, seed):
    records, steps, known = records_of(kind)
    random = np.random.default_rng(seed)
    for step in steps:
        step["loss"] *= 1 + 0.03 * random.standard_normal() * (kind != "dead-network")
    assert training_verdict(from_records(records, steps, facts=NetworkFacts(**known))).kind == kind
