"""Arguments of a fit: every form that is taken, as one value; what cannot be is said with how to write it."""

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from ursa.errors import TrainingError
from ursa.learner.fastai_names import ATTRIBUTES, KEYWORDS, no_attribute, refuse_unknown
from ursa.learner.fit_arguments import EpochFunction, fit_arguments, learning_rate, no_meaning, whole_number
from ursa.training.checkpoints.checkpoint_folder import Checkpoints
from ursa.training.fit import Observer
from ursa.training.optim.schedules import cosine


def test_what_is_not_given_is_the_usual():
    found = fit_arguments(3, None, "constant")
    assert (found.epochs, found.lr, found.keep, found.patience, found.observers) == (3, None, "best", 0, ())
    assert (found.checkpoints, found.resume, found.stop) == (None, False, None)
    assert found.schedule(0.3) == 1


def test_patience_waits_for_a_better_epoch_so_the_best_one_is_kept():
    assert fit_arguments(1, None, "constant", patience=np.int64(3)).patience == 3
    assert fit_arguments(1, None, "constant", keep="last").keep == "last"
    with pytest.raises(TrainingError, match="where the last one is kept"):
        fit_arguments(1, None, "constant", patience=3, keep="last")


@pytest.mark.parametrize("value", [0, 7, np.int64(7), np.uint8(7), True])
def test_whole_numbers_of_any_type_are_taken_but_truth_is_none(value):
    if value is True:
        with pytest.raises(TrainingError, match="epochs is a whole number"):
            whole_number("epochs", value)
    else:
        found = whole_number("epochs", value)
        assert found == int(value) and type(found) is int


@pytest.mark.parametrize("value", [-1, 1.0, "3", None, math.nan])
def test_other_numbers_of_epochs_are_refused_with_what_was_given(value):
    with pytest.raises(TrainingError, match="whole number of 0 or more") as told:
        whole_number("patience", value)
    assert "patience" in told.value.what and told.value.found == repr(value)


@pytest.mark.parametrize("value", [1e-3, 2, np.float32(0.5), np.int64(1), Fraction(1, 4)])
def test_learning_rates_of_any_type_become_a_number(value):
    found = learning_rate(value)
    assert found == float(value) and type(found) is float


def test_slices_of_learning_rates_keep_their_ends_and_their_missing_start():
    assert learning_rate(slice(1e-5, np.float64(1e-3))) == slice(1e-5, 1e-3)
    assert learning_rate(slice(1e-3)) == slice(None, 1e-3)
    assert learning_rate(slice(1e-3, 1e-5)) == slice(1e-3, 1e-5)  # falling, too
    assert learning_rate(None) is None


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, True, "1e-3", 1j, slice(0, 1e-3), slice(1e-5, 0)])
def test_a_learning_rate_that_no_weight_could_follow_is_refused(value):
    with pytest.raises(TrainingError, match="above 0"):
        learning_rate(value)


@pytest.mark.parametrize("value", [slice(None), slice(1e-3, None), slice(1e-5, 1e-3, 3)])
def test_a_slice_without_an_end_or_with_a_step_is_refused(value):
    with pytest.raises(TrainingError, match="has an end"):
        learning_rate(value)


def test_a_schedule_is_a_name_or_a_function():
    own = cosine(1, 0.1)
    assert fit_arguments(1, None, own).schedule is own
    assert fit_arguments(1, None, "cosine").schedule(0.5) == pytest.approx(0.5)


def raises(_):
    raise KeyError("mine")


@pytest.mark.parametrize(
    ("schedule", "says"),
    [
        (lambda: 1, "cannot be called"),
        (lambda done: f"{done}", "cannot be called"),
        (lambda done: -done, "factor of 0 or more"),
        (lambda done: 0.0 * done, "0 all along"),
        (0.5, "this is no schedule"),
    ],
)
def test_a_schedule_is_tried_before_the_first_step(schedule, says):
    with pytest.raises(TrainingError, match=says):
        fit_arguments(1, None, schedule)


def test_an_error_of_its_own_code_stays_what_it_is():
    with pytest.raises(KeyError, match="mine"):
        fit_arguments(1, None, raises)


def test_observers_are_taken_as_they_are_and_functions_become_some():
    class Own(Observer):
        pass

    own, told = Own(), []
    found = fit_arguments(
        1, None, "constant", observers=iter([own, told.append, lambda record: record["stop"]])
    ).observers
    assert found[0] is own and all(isinstance(one, Observer) for one in found)
    assert found[1].epoch({"epoch": 1}) is None and told == [{"epoch": 1}]


@pytest.mark.parametrize(
    ("returned", "reason"), [("enough", "enough"), ("", ""), (None, None), (True, None), (3, None)]
)
def test_only_a_text_stops_a_run(returned, reason):
    assert EpochFunction(lambda _: returned).epoch({}) == reason


def test_checkpoints_are_a_folder_or_what_writes_to_one(tmp_path):
    own = Checkpoints(tmp_path, every_steps=3)
    assert fit_arguments(1, None, "constant", checkpoints=own, resume=True).checkpoints is own
    for place in (tmp_path / "a", str(tmp_path / "a")):
        found = fit_arguments(1, None, "constant", checkpoints=place).checkpoints
        assert found.folder == Path(place) and not found.folder.exists()  # nothing is made before the run
    assert fit_arguments(1, None, "constant", checkpoints=own, resume=1).resume is True


def test_what_has_no_meaning_is_named_with_its_value_and_none_is_not_given():
    no_meaning("here", "elsewhere", a=None, b=None)
    with pytest.raises(TrainingError, match="b has no meaning here") as told:
        no_meaning("here", "elsewhere", a=None, b="x" * 200)
    assert told.value.found.startswith("b='xxx") and len(told.value.found) == 80
    assert told.value.fix == "elsewhere"
    with pytest.raises(TrainingError, match="a has no meaning"):
        no_meaning("here", "elsewhere", a=0, b=1)


# --- what others call it ---------------------------------------------------------------------------------------------


def test_known_arguments_pass_and_the_first_unknown_one_is_answered():
    refuse_unknown("fit", {}, ["epochs"])
    refuse_unknown("fit", {"epochs": 3}, {"epochs": int})
    with pytest.raises(TrainingError, match="fit has no argument 'wd'") as told:
        refuse_unknown("fit", {"epochs": 3, "wd": 0.1, "cbs": []}, iter(["epochs"]))
    assert (told.value.found, told.value.fix) == ("wd=0.1", f"here: {KEYWORDS['wd']}")
    with pytest.raises(TrainingError) as told:
        refuse_unknown("fit", {"epoch": 3}, ["epochs"])
    assert told.value.fix == "did you mean 'epochs'?" or "did you mean 'epochs'" in told.value.fix


def test_an_own_argument_is_never_said_to_be_called_otherwise():
    """ "lr" is answered where a function lacks it, and passes where it has it."""
    refuse_unknown("fit", {"lr": 1e-3}, ["lr"])
    with pytest.raises(TrainingError, match="no argument 'lr'"):
        refuse_unknown("Learner", {"lr": 1e-3}, ["loss"])


@pytest.mark.parametrize("name", ["validate", "evaluat"])
def test_an_attribute_that_there_is_not_is_an_attribute_error_so_that_hasattr_works(name):
    error = no_attribute("Learner", name, ["evaluate"])
    assert isinstance(error, AttributeError) and f"a Learner has no attribute {name!r}" in str(error)
    assert ATTRIBUTES.get(name, "did you mean 'evaluate'") in str(error)
