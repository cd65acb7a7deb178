"""What to do next: first what makes figures wrong, then by expected gain, and never on the strength of one mistake."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ursa.core import statistics
from ursa.core.finding import Finding
from ursa.diagnose.next_steps import (
    FINE_TUNING,
    SPOILING,
    Commands,
    NextStep,
    from_confusion,
    from_findings,
    from_sure_mistakes,
    from_training,
    next_steps,
    spoils,
)

AGAIN = Commands("ursa check pets", "ursa download LIST.txt --to pets")
STEPS = st.lists(st.builds(NextStep, st.text(max_size=3), st.just("why"), gain=st.floats(0, 1), first=st.booleans()))


def finding(kind, *, score=0.5, numbers=None, where=("a.jpg", "b.jpg")):
    return Finding(kind, where, score, f"Evidence of {kind}.", f"Advice for {kind}.", numbers or {})


def of(*findings, pictures=1000, error=0.1):
    return from_findings(findings, pictures, error, AGAIN)


@given(STEPS, st.integers(1, 9))
def test_steps_come_by_their_gain_after_what_makes_figures_wrong(steps, most):
    found = next_steps(steps, most)
    keys = [(not step.first, 0 if step.first else -step.gain) for step in found]
    assert keys == sorted(keys) and len(found) == min(most, len(steps))
    left = [step for step in steps if step not in found]
    assert not left or max((step.first, step.gain * (not step.first)) for step in left) <= (
        found[-1].first,
        found[-1].gain * (not found[-1].first),
    )


def test_equal_steps_stay_in_their_order():
    steps = [NextStep(name, "") for name in "abc"]
    assert next_steps(steps) == steps


@pytest.mark.parametrize("kind", SPOILING)
def test_what_spoils_figures_leads_whatever_else_would_gain(kind):
    steps = [NextStep("other", "", gain=0.5), *of(finding("exact-duplicate"), finding(kind), pictures=100)]
    first = next_steps(steps)[0]
    assert first.first and first.section == f"finding-{kind}" and first.command == AGAIN.again


def test_one_contradiction_among_many_pictures_waits_its_turn():
    """Of 480 thumbnails one pair had two labels, and the page said that no figure could be trusted."""
    pair = Finding("same-picture-two-classes", ("a", "b"), 1.0, "Both.", "Keep one.")
    assert spoils([pair], 200) and not spoils([pair], 201)
    assert not spoils([finding("exact-duplicate")], 1)
    (step,) = from_findings([pair], 480, 0.05, AGAIN)
    assert not step.first and step.gain > 0
    assert next_steps([step, NextStep("other", "", gain=0.5)])[0].title == "other"


def test_a_forecast_counts_as_it_is_and_names_the_command_that_fetches_more():
    (step,) = of(finding("more-pictures-help", numbers={"forecast": [{"gain": {"value": 0.04}}]}))
    assert step.gain == pytest.approx(0.04) and step.command == AGAIN.collect


def test_a_shortcut_leads_only_where_it_gives_the_class_away():
    assert [step.first for kind in (0.6, 0.95) for step in of(finding("shortcut", score=kind))] == [False, True]


def test_a_weak_slice_counts_half_of_what_it_lacks():
    """200 of 1,000 pictures, 60 % right where others have 90 %: 80 mistakes, 60 more than elsewhere."""
    numbers = {"inside": {"value": 0.6}, "others": {"value": 0.9}, "slice": "dark pictures"}
    (step,) = of(finding("weak-slice", numbers=numbers, where=tuple(map(str, range(80)))))
    assert step.gain == pytest.approx(0.5 * 0.06) and step.title == "Look at the dark pictures"


def test_files_that_cannot_be_read_gain_as_more_pictures_do():
    few, many = (of(*[finding("truncated")] * count)[0] for count in (1, 300))
    assert 0 < few.gain < 0.0001 and many.gain == pytest.approx(0.1 * (1 - (1000 / 1300) ** 0.5))
    assert many.title == "Replace 300 truncated pictures"


@pytest.mark.parametrize("kind", ["exact-duplicate", "imbalance", "fine-tuning-kept", "one-of-my-own"])
def test_what_gains_nothing_is_no_step(kind):
    assert of(finding(kind)) == []


def test_confused_classes_count_half_the_lower_end_of_what_they_cost():
    confusion = np.array([[50, 7, 0], [5, 40, 1], [0, 0, 60]])
    (step,) = from_confusion(confusion, ["cat", "dog", "owl"], "ursa error-analysis pets")
    assert "12 pictures where cat and dog are confused" in step.title and "7.4 points higher" in step.why
    assert step.gain == pytest.approx(statistics.proportion(12, 163, "").low / 2)
    assert from_confusion(np.diag([3, 4]), ["a", "b"], "") == []


def test_one_mistake_in_36_gains_less_than_a_training():
    confusion = np.array([[11, 1, 0], [0, 12, 0], [0, 0, 12]])
    (look,) = from_confusion(confusion, ["cat", "dog", "owl"], "x")
    assert look.title == "Look at the picture where cat and dog are confused"
    assert next_steps([look, from_training(1 / 36, "ursa train pets")])[0].title == "Train a model"


def test_sure_mistakes_hint_at_wrong_labels_unsure_ones_do_not():
    sure = np.tile([[0.05, 0.95]], (30, 1))
    (step,) = from_sure_mistakes(sure, np.array([0] * 10 + [1] * 20), "again")
    assert step.title == "Check the labels of 10 pictures" and 0.05 < step.gain < 0.5 / 3
    assert from_sure_mistakes(np.tile([[0.4, 0.6]], (30, 1)), np.zeros(30, np.int64), "again") == []


def test_a_training_gains_no_more_than_half_of_what_is_wrong():
    assert from_training(0.3, "x").gain == FINE_TUNING and from_training(0.004, "x").gain == 0.002
