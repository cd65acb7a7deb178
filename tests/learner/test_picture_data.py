"""Laws of the learner on pictures in folders and tables: whatever the task, it starts from features and gets better."""

import contextlib
import os
import signal
from functools import partial

import numpy as np
import pytest
import torch

import ursa
from ursa import models
from ursa.errors import TrainingError
from ursa.training.checkpoints.checkpoint_folder import Checkpoints
from ursa.training.fit import Observer
from ursa.training.loop import accumulated
from ursa.training.optim import data_parallel

PLAIN = ursa.Recipe.of(batch_size=16, hflip=0, min_scale=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, picture_folder):
    return picture_folder(tmp_path_factory.mktemp("pictures"), dict.fromkeys(("red", "orange", "blue"), 14))


@pytest.fixture(scope="module")
def several(folder, labels_of):
    """Labels in a table, one or two a picture."""
    return labels_of(folder)


@pytest.fixture(scope="module")
def numbers(folder, numbers_of):
    """Two numbers a picture."""
    return partial(numbers_of, folder)


def learner(data, recipe=PLAIN, **settings):
    return ursa.Learner(data, "pixels", recipe=recipe, **settings)


def weights(of):
    return torch.cat([p.detach().flatten() for p in of.model.parameters()])


class Presses(Observer):
    """Ctrl-C at the end of the first epoch."""

    def epoch(self, record):
        if record["epoch"] == 1:
            os.kill(os.getpid(), signal.SIGINT)


def test_a_backbone_on_pictures_starts_as_the_probe_and_is_fine_tuned(tmp_path, picture_folder):
    folder = picture_folder(tmp_path / "pictures", {"red": 16, "green": 16})
    one = ursa.Learner(folder, "pixels", recipe=ursa.Recipe.of(batch_size=16))
    assert one.evaluate()["accuracy"].value > 0.9
    one.fine_tune(1)
    assert one.verdict.kind in ("probe-kept", "fine-tuning-kept")
    assert one.history.epochs
    files = sorted(folder.glob("green/*"))[:3]
    assert one.predict(files).labels.tolist() == ["green"] * 3
    one.fit_one_cycle(1)
    assert one.show_results(4).png()
    said, targets = one.predictions()
    assert len(said) == len(targets) == len(one.data.valid)


def test_a_network_of_ones_own_learns_pictures_in_folders(tmp_path, picture_folder):
    folder = picture_folder(tmp_path / "pictures", {"red": 16, "green": 16})
    recipe = ursa.Recipe.of(batch_size=16, hflip=0, min_scale=1)
    one = ursa.Learner(folder, models.small_cnn(3, 2, widths=(4, 8)), size=24, recipe=recipe)
    one.fit_one_cycle(3, 0.03)
    assert one.predictions()[0].probabilities.shape == (len(one.data.valid), 2)


def test_several_labels_a_picture_are_learned_from_a_table(several, folder):
    one = learner(several)
    assert one.evaluate()["f1"].value > 0.9  # the head is fitted to the features already
    one.fine_tune(1)
    assert one.history.epochs
    said = one.predict(sorted(folder.glob("red/*"))[:4])
    assert said.labels.count(["red", "warm"]) >= 3
    assert said.probabilities.shape == (4, 3)
    assert one.show_results(4).png()
    assert one.predictions()[1].dtype == torch.float32


def test_numbers_are_learned_from_a_table(numbers, folder):
    one = learner(numbers())
    before = one.evaluate()["rmse"].value
    assert one.evaluate()["r2"].value > 0.7
    one.fine_tune(3)
    assert one.evaluate()["rmse"].value <= before
    found = one.predict([next(folder.glob("red/*")), next(folder.glob("blue/*"))]).numbers
    assert found.shape == (2, 2)
    assert found[0, 0] > 1 > -1 > found[1, 0]
    assert one.show_results(3).shape == (3, 2)


def test_the_unit_of_numbers_changes_nothing(numbers):
    def run(**unit):
        one = learner(numbers(**unit), recipe=ursa.Recipe.of(batch_size=16, max_grad_norm=0))
        one.fit(1, 1e-3, keep="last")
        return one.predictions()[0].numbers

    small, large = run(), run(scale=1000.0, shift=50.0)
    np.testing.assert_allclose((large - 50) / 1000, small, atol=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("task", ["several", "numbers"])
def test_an_exported_learner_says_the_same(task, several, numbers, tmp_path):
    import onnxruntime

    one = learner(several if task == "several" else numbers())
    file = one.export(tmp_path / "model.onnx")
    (batch,) = one.data.valid.in_order(100)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"input": batch.inputs[0].numpy()})
    said = one.predictions()[0]
    expected = said.numbers if task == "numbers" else np.log(said.probabilities / (1 - said.probabilities))
    np.testing.assert_allclose(found, expected, atol=1e-2)


@pytest.mark.parametrize("task", ["several", "numbers"])
def test_blended_pictures_have_blended_targets(task, several, numbers):
    one = learner(several if task == "several" else numbers())
    recipe = ursa.Recipe.of(batch_size=16, mixup=1.0)
    (plain,) = one.data.train.in_order(100)
    low, high = plain.targets.min(0).values, plain.targets.max(0).values
    targets = torch.cat([batch.targets for batch in one.data.train.batches(recipe).epoch(0)])
    assert ((targets >= low) & (targets <= high)).all()
    assert len(torch.unique(targets)) > len(torch.unique(plain.targets))
    mixing = learner(several if task == "several" else numbers(), recipe=recipe)
    mixing.fit(1)
    assert np.isfinite(mixing.history.steps[-1]["loss"])


def test_what_needs_one_class_a_picture_says_so(several):
    with pytest.raises(TrainingError, match="single classes"):
        learner(several, recipe=ursa.Recipe.of(oversample=True))
    with pytest.raises(TrainingError, match="where each example has one"):
        learner(several, recipe=ursa.Recipe.of(class_weights=True))


def test_rare_classes_weigh_more_on_request(tmp_path, picture_folder):
    folder = picture_folder(tmp_path / "pictures", {"red": 20, "green": 5})
    one = learner(folder, recipe=ursa.Recipe.of(class_weights=True))
    green, red = one.loss.keywords["weights"].tolist()
    assert green == pytest.approx(4 * red)


def test_every_core_takes_some_pictures_and_the_result_is_the_same(several, monkeypatch):
    def run():
        one = learner(several)
        one.fit(2, 1e-3, keep="last")
        return weights(one)

    used, data_parallel_cpu = [], data_parallel.data_parallel_cpu
    monkeypatch.setattr(
        data_parallel, "data_parallel_cpu", lambda *settings: used.append(settings) or data_parallel_cpu(*settings)
    )
    by_cores = run()
    assert used
    monkeypatch.setattr(
        data_parallel, "data_parallel_cpu", lambda precision, _: contextlib.nullcontext(accumulated(0, precision))
    )
    torch.testing.assert_close(by_cores, run(), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("task", ["one", "several"])
def test_fine_tuning_that_was_stopped_goes_on_to_the_same_end(task, folder, several, tmp_path):
    data = folder if task == "one" else several

    def run(checkpoints, *observers, resume=False):
        one = learner(data)
        one.fine_tune(3, checkpoints=checkpoints, resume=resume, observers=observers, frozen_epochs=0)
        return one

    stopped = run(Checkpoints(tmp_path / "some", every_steps=1), Presses())
    assert stopped.history.stopped == "interrupted"
    assert stopped.history.epochs[-1]["epoch"] < 3
    with pytest.raises(TrainingError, match="holds the checkpoints"):
        run(Checkpoints(tmp_path / "some"))
    resumed, whole = run(Checkpoints(tmp_path / "some"), resume=True), run(None)
    assert [step["loss"] for step in resumed.history.steps] == [step["loss"] for step in whole.history.steps]
    assert torch.equal(weights(resumed), weights(whole))
    assert (resumed.verdict is None) == (task == "several")


def test_two_views_a_prediction_do_not_tell_left_from_right(folder):
    one = learner(folder, recipe=ursa.Recipe.of(tta=2))
    draw = np.random.default_rng(0)
    picture = draw.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    said = one.predict([picture, np.ascontiguousarray(picture[:, ::-1])]).probabilities
    np.testing.assert_allclose(said[0], said[1], atol=1e-5)
    plain = learner(folder).predict([picture, np.ascontiguousarray(picture[:, ::-1])]).probabilities
    assert not np.allclose(plain[0], plain[1], atol=1e-5)
