"""Several labels a picture and numbers become bundles that predict what the learner predicts, in its units."""

import numpy as np
import polars as pl
import pytest

import ursa
from ursa.core.bundles import bundle as bundles
from ursa.errors import BundleError
from ursa.serve.prediction import MultiLabelPrediction, RegressionPrediction, from_json
from ursa.serve.predictor import Predictor
from ursa.training.tasks import metrics

PLAIN = ursa.Recipe.of(batch_size=16, hflip=0, min_scale=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, picture_folder):
    return picture_folder(tmp_path_factory.mktemp("pictures"), dict.fromkeys(("red", "orange", "blue"), 8))


def files_of(folder):
    return sorted(folder.glob("[!.]*/*"))


@pytest.fixture(scope="module")
def several(folder, labels_of, tmp_path_factory):
    """(learner, bundle, its path) of labels, one or two a picture."""
    one = ursa.Learner(labels_of(folder), "pixels", recipe=PLAIN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOURCE_DATE_EPOCH", "1700000000")
        patch.setattr(metrics, "BOOTSTRAPS", (30, 30))  # as in every test of this room
        path = one.export(tmp_path_factory.mktemp("several") / "several.ursa")
    return one, Predictor(path), path


@pytest.fixture(scope="module")
def numbers(folder, numbers_of, tmp_path_factory):
    """(learner, bundle, its path) of two numbers a picture, in hundreds."""
    one = ursa.Learner(numbers_of(folder, scale=100.0), "pixels", recipe=PLAIN)
    path = one.export(tmp_path_factory.mktemp("numbers") / "numbers.ursa", names=["warmth", "size, cm"])
    return one, Predictor(path), path


def test_several_labels_are_predicted_as_by_the_learner(several, folder):
    one, predictor, _ = several
    files = files_of(folder)
    ours = one.predict(files)
    theirs = [predictor(file) for file in files]
    assert all(isinstance(said, MultiLabelPrediction) for said in theirs)
    found = np.array([list(said.probabilities.values()) for said in theirs])
    np.testing.assert_allclose(found, ours.probabilities, atol=1e-3)
    assert [set(said.labels) for said in theirs] == [
        {name for name, p in said.probabilities.items() if p >= 0.5} for said in theirs
    ]
    assert {"red", "warm"} <= {label for said in theirs for label in said.labels}
    assert predictor.task == "multi-label"
    assert {"average_precision", "f1"} <= predictor.bundle.document["metrics"].keys()


def test_numbers_are_predicted_in_the_units_of_the_targets(numbers, folder):
    one, predictor, _ = numbers
    files = files_of(folder)
    theirs = [predictor(file) for file in files]
    assert all(isinstance(said, RegressionPrediction) for said in theirs)
    found = np.array([list(said.values.values()) for said in theirs])
    ours = np.asarray(
        one.predict(files).numbers if hasattr(one.predict(files), "numbers") else one.predict(files).labels
    )
    np.testing.assert_allclose(found, ours, rtol=1e-3, atol=1e-2)
    assert list(theirs[0].values) == ["warmth", "size, cm"]
    assert np.ptp(found[:, 0]) > 100  # in hundreds, as they were given
    with pytest.raises(BundleError, match="not probabilities"):
        predictor.probabilities([])


def test_their_cards_say_what_they_are(several, numbers):
    texts = [pair[1].bundle.parts["card.md"].decode() for pair in (several, numbers)]
    assert "which of these labels a picture has, perhaps none or several: blue, red, warm" in texts[0]
    assert "Average precision" in texts[0]
    assert "It predicts from a picture: warmth, size, cm" in texts[1]
    assert "Root mean squared error" in texts[1]
    for text in texts:
        assert "## Intended use" in text


def test_what_a_model_says_goes_through_json_and_comes_back(several, numbers, folder):
    for _, predictor, _ in (several, numbers):
        said = predictor(files_of(folder)[0])
        assert from_json(said.to_json()) == said


@pytest.mark.parametrize("broken", [{}, {"labels": [1], "probabilities": {}}, {"values": {"x": "1"}}, {"label": "x"}])
def test_what_no_model_said_is_refused(broken):
    with pytest.raises(ValueError, match=r"."):
        from_json(broken)


def test_commands_that_need_one_class_a_picture_say_so(several, numbers, folder):
    path = several[2]
    with pytest.raises(BundleError, match="one class a picture") as refused:
        ursa.evaluate(path, folder)
    assert "Learner.evaluate" in refused.value.fix
    with pytest.raises(BundleError, match="one class a picture"):
        ursa.compare(path, numbers[2], folder)


def test_a_folder_of_them_becomes_a_table(several, numbers, folder, tmp_path):
    for (_, _, path), columns in (
        (several, ["picture", "labels", "probability_blue", "probability_red", "probability_warm", "problem"]),
        (numbers, ["picture", "value_warmth", "value_size, cm", "problem"]),
    ):
        ursa.predict(path, folder, out=tmp_path / "t.parquet")
        table = pl.read_parquet(tmp_path / "t.parquet")
        assert table.columns == columns
        assert len(table) == len(files_of(folder))
        with pytest.raises(BundleError, match="sorting needs one class"):
            ursa.predict(path, folder, sort_to=tmp_path / "s")


def test_names_are_of_numbers_and_as_many(several, numbers, tmp_path):
    with pytest.raises(BundleError, match="have their names already"):
        several[0].export(tmp_path / "m.ursa", names=["a", "b", "c"])
    with pytest.raises(BundleError, match="one output for each"):
        numbers[0].export(tmp_path / "m.ursa", names=["a"])
    with pytest.raises(BundleError, match="named in a bundle"):
        numbers[0].export(tmp_path / "m.onnx", names=["a", "b"])


def test_the_same_learner_exports_the_same_bytes(several, tmp_path, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    again, first = several[0].export(tmp_path / "again.ursa"), several[2]
    assert bundles.read(again).document == bundles.read(first).document
    assert again.read_bytes() == first.read_bytes()
