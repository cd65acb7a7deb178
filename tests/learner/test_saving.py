"""Save and load are each other's inverse, whatever the learner; one name opens either file; export proves itself."""

import subprocess
import sys

import numpy as np
import polars as pl
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

import ursa
from ursa import models
from ursa.errors import BundleError, DataError, TrainingError
from ursa.serve.predictor import Predictor

RNG = np.random.default_rng(0)
X = (RNG.normal(size=(80, 4)) * 20 + 3).astype(np.float32)
Y = np.where(X[:, 0] > 3, "high", "low")
NUMBERS = 1e5 * X[:, 0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, picture_folder):
    return picture_folder(tmp_path_factory.mktemp("pictures"), {"red": 12, "green": 12})


@pytest.fixture(scope="module")
def numbers(folder):
    files = sorted(path.relative_to(folder).as_posix() for path in folder.glob("[!.]*/*"))
    warm = [1000.0 if file.startswith("red") else 10.0 + i for i, file in enumerate(files)]
    return ursa.Catalog.from_table(pl.DataFrame({"file": files, "w": warm}), root=folder, label="w")


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.body(x).relu().mean((2, 3)))


def arrays(folder, numbers):
    return ursa.Learner((X, Y), models.mlp(4, 2), recipe={"batch_size": 16, "seed": 3}, loss="cross_entropy"), X[:9]


def regression(folder, numbers):
    return ursa.Learner((X, NUMBERS), models.linear(4, 1), optimizer="sgd", metrics=["mae"]), X[:9]


def several_outputs(folder, numbers):
    y = {"kind": Y, "size": NUMBERS}
    heads = {"kind": models.linear(8, 2), "size": models.linear(8, 1)}
    return ursa.Learner((X, y), models.multi_output(models.mlp(4, None, hidden=8), heads)), X[:9]


def data_set(folder, numbers):
    data = TensorDataset(torch.from_numpy(X), torch.from_numpy((Y == "high").astype(np.int64)))
    return ursa.Learner(data, models.mlp(4, 2)), X[:9]


def backbone(folder, numbers):
    recipe = {"batch_size": 8, "tta": 2, "valid": 0.5}
    return ursa.Learner(folder, "pixels", recipe=recipe), sorted(folder.glob("[!.]*/*"))


def backbone_of_numbers(folder, numbers):
    return ursa.Learner(numbers, "pixels", recipe={"batch_size": 8}), sorted(folder.glob("[!.]*/*"))


def network(folder, numbers):
    one = ursa.Learner(folder, models.small_cnn(3, 2, widths=(4, 8)), size=24, recipe={"tta": 2})
    return one, sorted(folder.glob("[!.]*/*"))


KINDS = [arrays, regression, several_outputs, data_set, backbone, backbone_of_numbers, network]


def numbers_of(predictions):
    parts = predictions.parts.values() or [predictions]
    return [part.probabilities if part.numbers is None else part.numbers for part in parts]


def test_a_saved_learner_is_the_same_learner(folder, numbers, tmp_path):
    for kind in KINDS:
        one, x = kind(folder, numbers)
        one.fit(1, 1e-3, keep="last")
        again = ursa.load(one.save(tmp_path / f"{kind.__name__}.safetensors"))
        for ours, theirs in zip(numbers_of(one.predict(x)), numbers_of(again.predict(x)), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5, err_msg=kind.__name__)
        assert again.recipe == one.recipe
        assert again.data.targets == one.data.targets
        assert again.data.inputs == one.data.inputs
        assert again.optimizer == one.optimizer
        assert [metric.name for metric in again.metrics] == [metric.name for metric in one.metrics]
        assert again.history.epochs == one.history.epochs
        assert again.kept == one.kept == 1
        assert again.backbone == one.backbone
        twice = again.save(tmp_path / "again.safetensors")
        assert ursa.load(twice).data.targets == one.data.targets


def test_a_loaded_learner_goes_on_as_the_saved_one_would_have(tmp_path):
    one, _ = arrays(None, None)
    one.fit(1)
    again = ursa.load(one.save(tmp_path / "one.safetensors"), (X, Y))
    one.fit(1, 1e-2)
    again.fit(1, 1e-2)
    assert [s["loss"] for s in again.history.steps] == [
        s["loss"] for s in one.history.steps[-len(again.history.steps) :]
    ]


def test_a_learner_of_pictures_evaluates_and_predicts_folders_and_learns_on(folder, tmp_path, picture_folder):
    other = picture_folder(tmp_path / "other", {"red": 4, "green": 5}, seed=5)
    (other / "red" / "broken.jpg").write_bytes(b"\xff\xd8\xff broken")
    one, _ = backbone(folder, None)
    again = ursa.load(one.save(tmp_path / "one.safetensors"))
    for each in (one, again):
        assert each.evaluate(other)["accuracy"].value > 0.9
        found = each.predict(other)
        assert len(found) == len(found.ids) == 9  # the broken one is left out
        assert (found.labels == [id.split("/")[0] for id in found.ids]).all()
        assert each.confusion(other).counts.trace() >= 8
        assert set(each.top_losses(3, other)["picture"]) <= {*found.ids}
    with pytest.raises(DataError, match="without data"):
        again.evaluate()
    wrong = picture_folder(tmp_path / "wrong", {"red": 2, "blue": 2})
    with pytest.raises(DataError):
        one.evaluate(wrong)
    with pytest.raises(DataError, match="a folder of pictures"):
        one.evaluate((X, Y))
    further = ursa.load(tmp_path / "one.safetensors", folder)
    assert further.evaluate()["accuracy"] == one.evaluate()["accuracy"]
    further.fine_tune(1)
    assert further.verdict is not None


def test_what_a_file_cannot_hold_is_given_again(folder, tmp_path):
    def half(outputs, targets):
        return 0.5 * nn.functional.cross_entropy(outputs, targets)

    def size(outputs, targets):
        return len(outputs) / len(targets)

    one = ursa.Learner(folder, Own(), size=24, loss=half, metrics=["accuracy", size])
    file = one.save(tmp_path / "own.safetensors")
    for given in ({}, {"loss": half}, {"metrics": ["accuracy"]}):
        with pytest.raises(TrainingError, match="of its own") as told:
            ursa.load(file, model=Own(), **given)
        assert told.value.fix
    with pytest.raises(TrainingError, match="not its code"):
        ursa.load(file, loss=half, metrics=["accuracy"])
    again = ursa.load(file, model=Own(), loss=half, metrics=["accuracy"])
    x = sorted(folder.glob("[!.]*/*"))
    np.testing.assert_allclose(again.predict(x).probabilities, one.predict(x).probabilities, atol=1e-5)
    one.load(file)  # into itself


def test_either_file_is_opened_and_a_bundle_needs_no_torch(folder, tmp_path):
    one, x = backbone(folder, None)
    bundle = one.export(tmp_path / "one.ursa")
    assert isinstance(ursa.load(bundle), Predictor)
    assert isinstance(ursa.load(one.save(tmp_path / "one.safetensors")), ursa.Learner)
    code = "import sys, ursa; print(ursa.load(sys.argv[1])(sys.argv[2]).label, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, bundle, x[0]], check=True, capture_output=True, text=True)
    assert done.stdout.split() == [x[0].parent.name, "False"]
    with pytest.raises(TrainingError, match="for a saved learner"):
        ursa.load(bundle, device="cpu")
    with pytest.raises(DataError, match="no file"):
        ursa.load(tmp_path / "nothing")
    (tmp_path / "text.txt").write_text("hello, this is no model")
    with pytest.raises(BundleError):
        ursa.load(tmp_path / "text.txt")
    with pytest.raises(AttributeError, match=r"ursa\.load "):
        ursa.load_learner  # noqa: B018


@pytest.mark.slow
def test_a_custom_network_on_pictures_becomes_a_bundle(folder, tmp_path):
    one, x = network(folder, None)
    one.fit_one_cycle(2, 0.02)
    predictor = ursa.load(one.export(tmp_path / "own.ursa"))
    ours = one.predict(x).probabilities
    theirs = np.array([[*predictor(file).probabilities.values()] for file in x])
    np.testing.assert_allclose(theirs, ours, atol=2e-2)  # a server may decode with another library
    assert predictor.bundle.document["training"]["kept"] == "trained"
    wide = ursa.Learner(folder, models.small_cnn(3, 5, widths=(4, 8)), size=24)
    with pytest.raises(BundleError, match="one output for each class"):
        wide.export(tmp_path / "wide.ursa")


@pytest.mark.parametrize("name", ["model.pkl", "model.pth", "model", "model.ONNX"])
def test_an_ending_that_is_not_known_is_refused(tmp_path, name):
    one, _ = arrays(None, None)
    with pytest.raises(BundleError, match="by the ending") as told:
        one.export(tmp_path / name)
    assert ".onnx" in told.value.fix
    assert not [*tmp_path.iterdir()]


@pytest.mark.slow
def test_an_exported_regression_predicts_in_the_targets_units(tmp_path):
    import onnxruntime

    for kind in (regression, several_outputs):
        one, x = kind(None, None)
        session = onnxruntime.InferenceSession(one.export(tmp_path / f"{kind.__name__}.onnx"))
        found = {
            output.name: value
            for output, value in zip(session.get_outputs(), session.run(None, {"input": x}), strict=True)
        }
        predicted = one.predict(x)
        ours = predicted.numbers if kind is regression else predicted.parts["size"].numbers
        np.testing.assert_allclose(found["output" if kind is regression else "size"][:, 0], ours, rtol=1e-3)
        assert np.abs(ours).max() > 1e4
