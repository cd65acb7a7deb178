"""What `ursa train` says of its training, and the run that confirms it: of made-up outcomes, nothing is trained."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from ursa.core.labels import Labels
from ursa.data.sources.folder_source import from_folder
from ursa.diagnose.training_verdict.history_file import read_history
from ursa.errors import TrainingError
from ursa.prepared.splitting import Parts
from ursa.recipe import Recipe
from ursa.workflow.train import train
from ursa.workflow.training_run import training_diagnosed
from ursa.workflow.training_run.training_diagnosed import confirmed_by_run, diagnosed

RECIPE = Recipe.of(epochs=3, head_lr=0.5)


@pytest.fixture(scope="module")
def parts(tmp_path_factory, picture_folder):
    folder = picture_folder(tmp_path_factory.mktemp("pictures") / "pets", {"cat": 60, "dog": 60})
    catalog = from_folder(folder).with_columns(
        split=pl.Series(["train"] * 40 + ["valid"] * 20).append(pl.Series(["train"] * 40 + ["valid"] * 20))
    )
    return Parts.of(catalog)


def outcome(valid, accuracy, *, pruned=None):
    """Of a fine-tuning with these values by epoch, the first before it."""
    pairs = list(zip(valid, accuracy, strict=True))
    epochs = [
        {"epoch": e, "valid_loss": v, "accuracy": a, **({"train_loss": v} if e else {})}
        for e, (v, a) in enumerate(pairs)
    ]
    steps = [
        {"step": i + 1, "epoch": i // 10, "loss": epochs[1 + i // 10]["train_loss"], "lr": 0.4}
        for i in range(10 * (len(pairs) - 1))
    ]
    numbers = {} if pruned is None else {"pruned_after": pruned}
    return SimpleNamespace(epochs=epochs, steps=steps, verdict=SimpleNamespace(numbers=numbers))


EXPLODED = outcome([0.3, 40.0, 20.0, 9.0], [0.9, 0.5, 0.5, 0.5])
CALM = outcome([0.3, 0.28, 0.25, 0.24], [0.9, 0.9, 0.925, 0.925])


def test_a_loss_that_explodes_is_not_shown_without_a_word(parts):
    finding = diagnosed(EXPLODED, parts, RECIPE, "my pets")
    assert (finding.kind, "40" in finding.evidence) == ("lr-too-high", True)
    assert finding.advice.endswith("ursa train 'my pets' --lr 0.05.")  # the rate that was asked for, not a step's
    assert diagnosed(CALM, parts, RECIPE, "pets").kind == "training-fine"
    assert diagnosed(outcome([0.3], [0.9]), parts, RECIPE, "pets") is None
    stopped = diagnosed(outcome([0.3, 0.28], [0.9, 0.9], pruned=0.3), parts, RECIPE, "pets")
    assert (stopped.kind, "prune_below=0" in stopped.advice) == ("cannot-tell", True)


def test_the_confirming_run_is_the_same_one_as_advised(parts):
    asked = []

    def again(some, recipe):
        asked.append((len(some.learn), recipe))
        return CALM

    verdict = diagnosed(EXPLODED, parts, RECIPE, "pets")
    told = confirmed_by_run(verdict, EXPLODED, parts, RECIPE, again, seconds=1.0)
    ((count, recipe),) = asked
    assert (count, recipe.optim.head_lr, recipe.optim.epochs) == (80, pytest.approx(0.05), 3)
    assert recipe.optim.body_lr == pytest.approx(RECIPE.optim.body_lr / 10)
    assert told.numbers["confirmed"]
    assert "Confirmed: a run with a tenth of the learning rate ends" in told.evidence


def test_of_a_fine_training_the_confirming_run_is_three_times_as_long(parts):
    asked = []

    def again(some, recipe):
        asked.append((len(some.learn), recipe))
        return CALM

    fine = diagnosed(CALM, parts, RECIPE, "pets")
    told = confirmed_by_run(fine, CALM, parts, RECIPE, again, seconds=1.0)
    ((count, recipe),) = asked
    assert (count, recipe.optim.head_lr, recipe.optim.epochs) == (80, RECIPE.optim.head_lr, 9)
    assert (told.kind, told.numbers["confirmed"]) == ("training-fine", True)
    assert told.evidence.endswith("no better.")
    one_class = replace(fine, kind="predicts-one-class")
    assert confirmed_by_run(one_class, CALM, parts, RECIPE, again, seconds=1.0) is one_class
    assert len(asked) == 1


def test_a_long_run_is_confirmed_on_a_slice_beside_itself(parts):
    asked = []

    def again(some, recipe):
        asked.append((some, recipe.optim.head_lr))
        return EXPLODED if recipe.optim.head_lr == 0.5 else CALM

    verdict = diagnosed(EXPLODED, parts, RECIPE, "pets")
    told = confirmed_by_run(verdict, EXPLODED, parts, RECIPE, again, seconds=500.0)
    (first, whole), (second, tenth) = asked
    assert (whole, tenth) == (0.5, pytest.approx(0.05))
    assert len(first.learn) == training_diagnosed.LEAST == 64
    assert first.learn.ids == second.learn.ids
    assert set(first.learn.rows["label"]) == {"cat", "dog"}
    assert first.valid.ids == parts.valid.ids
    assert "on 64 of the 80 pictures" in told.evidence


def test_the_history_that_is_written_is_diagnosed_the_same_again(parts, tmp_path):
    (tmp_path / "history.json").write_text(json.dumps(training_diagnosed.document(EXPLODED, parts, RECIPE)))
    logged = read_history(tmp_path / "history.json")
    assert logged.history.facts.valid_count == 40
    assert logged.history.facts.pretrained
    np.testing.assert_array_equal(logged.history.valid_loss, [40.0, 20.0, 9.0])


def test_where_a_confirming_run_has_no_place_it_is_refused(tmp_path):
    for settings in ({"minutes": 5.0}, {"epochs": 0}):
        with pytest.raises(TrainingError, match="confirm"):
            train(tmp_path, backbone="pixels", confirm=True, **settings)


def test_labels_are_those_of_the_parts(parts):
    assert parts.labels == Labels(("cat", "dog"))
    assert training_diagnosed.facts_of(CALM, parts, RECIPE).largest_class == 0.5
