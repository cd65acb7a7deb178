"""A bundle -> one with smaller numbers: on which pictures that is judged, when it is refused, and what is written."""

import importlib
import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

import ursa
from tests.quantizable import bundle_of, conv_model, parts_of
from ursa.core import picture_file
from ursa.core.bundles import bundle as bundles
from ursa.core.statistics import Estimate
from ursa.errors import BundleError, DataError
from ursa.export import quantization
from ursa.export.bundle_files import with_thresholds
from ursa.workflow.results.quantized import ModelFigures, Quantized

workflow = importlib.import_module("ursa.workflow.shipping.quantize")
FASTER, SLOWER = [(10.0, 8.0), (6.0, 4.0)], [(10.0, 8.0), (14.0, 9.0)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, picture_folder):
    return picture_folder(tmp_path_factory.mktemp("quantize") / "colors", {"red": 12, "green": 12, "blue": 12})


@pytest.fixture(scope="module")
def model(folder):
    path = folder.parent / "colors.ursa"
    path.write_bytes(bundle_of(folder))
    return path


@pytest.fixture(autouse=True)
def faster(monkeypatch):
    """Two models of a few numbers differ in nothing but noise: here the smaller one is faster."""
    monkeypatch.setattr(workflow, "_milliseconds", lambda *_: FASTER)


def test_it_is_smaller_answers_the_same_and_says_what_it_cost(folder, model, tmp_path):
    found = ursa.quantize(model, folder, out=tmp_path / "small.ursa", progress=False)
    assert found.refusal is None and found.bundle == tmp_path / "small.ursa"
    assert (found.pictures, found.changed, found.calibrated_on) == (9, 0, 24)
    assert found.before.accuracy.value == found.after.accuracy.value == 1.0
    assert found.after.megabytes < found.before.megabytes
    before, after = ursa.Predictor(model), ursa.Predictor(found.bundle)
    picture = next((folder / "green").iterdir())
    assert before(picture).label == after(picture).label == "green"
    assert before(picture).probabilities != after(picture).probabilities
    assert after.bundle.parts["weights.safetensors"] == before.bundle.parts["weights.safetensors"]
    assert after.bundle.document["quantized"] == found.noted()
    assert after.bundle.document["parity"] == {"pictures": 9, "difference": found.largest_difference}
    assert ursa.evaluate(found.bundle, folder, progress=False).accuracy.value == 1.0
    card = after.bundle.parts["card.md"].decode()
    assert "Quantized to int8" in card and "100.0 % right instead of 100.0 %" in card
    assert "6 ms a picture instead of 10" in card


def test_it_is_calibrated_on_what_was_learned_from_and_never_sees_a_test_picture(folder, model, tmp_path, monkeypatch):
    decoded, read = [], picture_file.read
    monkeypatch.setattr(picture_file, "read", lambda file: (decoded.append(file), read(file))[1])
    ursa.quantize(model, folder, out=tmp_path / "small.ursa", progress=False)
    parts = parts_of(folder)
    assert sorted(decoded[:24]) == sorted(parts["train"])
    assert sorted(decoded[24:]) == sorted(parts["valid"])


def test_half_is_measured_too_and_calibrated_on_nothing(folder, model, tmp_path):
    found = ursa.quantize(model, folder, precision="fp16", out=tmp_path / "half.ursa", progress=False)
    assert (found.precision, found.calibrated_on, found.changed) == ("fp16", 0, 0)
    assert ursa.Predictor(found.bundle).bundle.document["quantized"]["precision"] == "fp16"


def test_thresholds_stay_and_may_be_chosen_again(folder, model, tmp_path):
    points = {"abstain": {"value": 0.7}, "costs": {}}
    with_thresholds(bundles.read(model), points, tmp_path / "unsure.ursa")
    found = ursa.quantize(tmp_path / "unsure.ursa", folder, out=tmp_path / "small.ursa", progress=False)
    small = bundles.read(found.bundle)
    assert small.document["thresholds"] == points
    again = bundles.read(with_thresholds(small, {}, tmp_path / "sure.ursa"))
    assert again.document["quantized"] == found.noted()
    assert "Quantized to int8" in again.parts["card.md"].decode()


def test_one_that_loses_too_much_is_not_written(folder, model, tmp_path, monkeypatch):
    monkeypatch.setattr(quantization, "to_int8", lambda *_: conv_model(scale=-1))  # the other way round
    found = ursa.quantize(model, folder, out=tmp_path / "small.ursa", progress=False)
    assert found.bundle is None and not (tmp_path / "small.ursa").exists()
    assert found.changed == 9 and found.lost > 50
    assert "percentage points of accuracy; 1 are allowed" in found.refusal
    allowed = ursa.quantize(model, folder, out=tmp_path / "small.ursa", max_loss=100, progress=False)
    assert allowed.refusal == "It is no smaller, so it is of no use."


def test_one_that_is_slower_is_not_written_and_the_command_exits_with_one(folder, model, tmp_path, monkeypatch):
    from ursa.cli.commands import app

    monkeypatch.setattr(workflow, "_milliseconds", lambda *_: SLOWER)
    out = tmp_path / "small.ursa"
    words = ["export", str(model), "--int8", "--data", str(folder), "--out", str(out)]
    done = CliRunner().invoke(app, [*words, "--json"])
    assert done.exit_code == 1 and not out.exists()
    document = json.loads(done.stdout)
    assert document["bundle"] is None and document["refusal"].startswith("It is slower: 1.4 times")
    said = CliRunner().invoke(app, words)
    assert said.exit_code == 1 and "Nothing was written." in said.output
    monkeypatch.setattr(workflow, "_milliseconds", lambda *_: FASTER)
    done = CliRunner().invoke(app, [*words, "--json"])
    assert done.exit_code == 0 and json.loads(done.stdout)["bundle"] == str(out)


def figures(right, megabytes, one, batch):
    return ModelFigures(Estimate(right, right - 0.02, right + 0.02, ""), megabytes, one, batch)


def measured(precision="int8", *, loss=0.0, low=0.0, megabytes=1.0, one=6.0, batch=4.0, max_loss=1.0):
    gap = Estimate(-loss, low - loss, loss + 0.01, "")
    before, after = figures(0.9, 4.0, 10.0, 8.0), figures(0.9 - loss, megabytes, one, batch)
    return Quantized(precision, before, after, gap, 300, 3, 128, max_loss, 0.1, {})


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (measured(), None),
        (measured(loss=0.01), None),  # exactly what is allowed
        (measured(loss=0.0101), "loses 1"),
        (measured(loss=0.004, max_loss=0.0), "loses 0.4"),
        (measured(loss=-0.01, max_loss=0.0), None),
        (measured(megabytes=4.0), "no smaller"),
        (measured(one=11.1), "slower"),
        (measured(one=9.8, batch=7.8), "no faster"),
        (measured(one=10.5, batch=4.0), None),  # batches gain
        (measured("fp16", one=10.0, batch=8.0), None),
        (measured("fp16", one=11.1, batch=8.0), "slower"),
    ],
)
def test_what_is_of_use(found, why):
    assert (found.refusal is None) if why is None else why in found.refusal


def test_what_so_few_pictures_cannot_exclude_is_said():
    assert "a loss of up to 2.0 points cannot be excluded" in measured(low=-0.02).doubt
    assert measured(low=-0.009).doubt is None
    assert measured(one=20.0, low=-0.02).doubt is None  # it is refused anyway


@pytest.mark.parametrize(
    ("changes", "what", "fix"),
    [
        ({"pictures": {}}, "learned from none", "--data"),
        ({"task": "multi-label", "format": 2}, "one class a picture", "ursa serve"),
    ],
)
def test_bundles_that_this_cannot_be_done_with(folder, tmp_path, changes, what, fix):
    (tmp_path / "m.ursa").write_bytes(bundle_of(folder, **changes))
    with pytest.raises((BundleError, DataError), match=what) as refused:
        ursa.quantize(tmp_path / "m.ursa", folder, progress=False)
    assert fix in refused.value.fix


def test_a_bundle_that_does_not_say_what_it_learned_from_and_one_that_was_quantized(folder, model, tmp_path):
    (tmp_path / "old.ursa").write_bytes(bundle_of())
    with pytest.raises(BundleError, match="does not say which pictures"):
        ursa.quantize(tmp_path / "old.ursa", folder, progress=False)
    found = ursa.quantize(model, folder, out=tmp_path / "small.ursa", progress=False)
    with pytest.raises(BundleError, match="was quantized before"):
        ursa.quantize(found.bundle, folder, progress=False)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"precision": "int4"}, "no such precision"),
        ({"max_loss": -1}, "between 0 and 100"),
        ({"max_loss": float("nan")}, "between 0 and 100"),
    ],
)
def test_misuse(folder, model, options, what):
    with pytest.raises(DataError, match=what):
        ursa.quantize(model, folder, **options)
    with pytest.raises(DataError, match="would replace"):
        ursa.quantize(model, folder, out=model)


def test_pictures_of_which_none_can_be_measured_on(folder, model, tmp_path):
    learned = tmp_path / "learned"
    for file in parts_of(folder)["train"]:
        (learned / file.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy(file, learned / file.parent.name)
    with pytest.raises(DataError, match="no pictures to measure the loss on"):
        ursa.quantize(model, learned, progress=False)
    (learned / "red" / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(DataError, match="can be read"):
        ursa.quantize(model, learned, progress=False)


def test_pictures_of_which_none_can_be_calibrated_on(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "colors")
    for file in parts_of(copy)["train"]:
        file.write_bytes(b"no picture, " + file.name.encode())
    (tmp_path / "m.ursa").write_bytes(bundle_of(copy))
    with pytest.raises(DataError, match="none of the pictures to calibrate on can be read"):
        ursa.quantize(tmp_path / "m.ursa", copy, progress=False)
    first = parts_of(copy)["train"][0]
    first.write_bytes(next((folder / "red").iterdir()).read_bytes())
    (tmp_path / "m.ursa").write_bytes(bundle_of(copy))
    found = ursa.quantize(tmp_path / "m.ursa", copy, out=tmp_path / "small.ursa", max_loss=100, progress=False)
    assert found.calibrated_on == 1


def test_new_pictures_of_a_test_folder_are_left_alone(folder, tmp_path, picture_folder):
    root = tmp_path / "split"
    shutil.copytree(folder, root / "train")
    (tmp_path / "m.ursa").write_bytes(bundle_of(root / "train"))
    picture_folder(root, {"test/red": 3, "valid/blue": 2}, seed=7)
    found = ursa.quantize(tmp_path / "m.ursa", root, out=tmp_path / "small.ursa", progress=False)
    assert found.pictures == 9 + 2


def test_a_picture_that_cannot_be_read_is_named_and_costs_nothing_else(folder, model, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "colors")
    for number in range(3):
        (copy / "blue" / f"a_{number}.jpg").write_bytes(b"no picture")
    found = ursa.quantize(model, copy, out=tmp_path / "small.ursa", progress=False)
    assert list(found.problems) == [f"blue/a_{number}.jpg" for number in range(3)]
    assert found.pictures == 9 and found.before.accuracy.value == 1.0


def test_both_models_are_timed_in_turns(folder, model, monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(workflow, "SECONDS", 0.0)
    asked = []

    class Model:
        def __init__(self, name):
            self.name = name

        def probabilities(self, views):
            asked.append((self.name, len(views)))

    found = workflow._milliseconds(Model("one"), Model("other"), np.zeros((3, 4, 4, 3), np.uint8))
    turns = [("one", 1), ("other", 1), ("one", 8), ("other", 8)]
    assert asked == 3 * [turn for turn in turns for _ in range(workflow.RUNS)]
    assert np.shape(found) == (2, 2) and np.min(found) > 0


@pytest.mark.parametrize("key", ["precision", "pictures", "difference", "before"])
def test_a_document_that_says_it_wrongly_is_refused(folder, model, tmp_path, key):
    note = measured().noted() | {key: "\x1b[2J" if key != "precision" else 8}
    (tmp_path / "m.ursa").write_bytes(bundle_of(folder, quantized=note))
    with pytest.raises(BundleError) as refused:
        bundles.read(tmp_path / "m.ursa")
    assert f"quantized.{key}" in refused.value.found
