"""Logs of several tools are read by their own columns; anything else is one readable error."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ursa.diagnose.training_verdict import history_file
from ursa.diagnose.training_verdict.history_file import read_history
from ursa.errors import DataError

FASTAI = "epoch,train_loss,valid_loss,accuracy,time\n0,1.5,1.0,0.6,00:01\n1,1.0,0.8,0.7,00:01\n"
KERAS = "epoch,accuracy,loss,val_accuracy,val_loss\n0,0.5,1.5,0.6,1.0\n1,0.9,1.0,0.7,0.8\n"
LIGHTNING = (
    "epoch,step,train_loss_step,train_loss_epoch,val_acc,val_loss\n"
    "0,9,1.7,,,\n0,19,,,0.6,1.0\n0,19,,1.5,,\n1,39,,,0.7,0.8\n1,39,,1.0,,\n"
)
TRAINER = {
    "log_history": [
        {"epoch": 0.5, "loss": 1.7, "learning_rate": 1e-3, "step": 5},
        {"epoch": 1.0, "loss": 1.3, "learning_rate": 1e-3, "step": 10},
        {"epoch": 1.0, "eval_loss": 1.0, "eval_accuracy": 0.6, "step": 10},
        {"epoch": 2.0, "loss": 1.0, "learning_rate": 5e-4, "step": 20},
        {"epoch": 2.0, "eval_loss": 0.8, "eval_accuracy": 0.7, "step": 20},
    ]
}
OF_KERAS = {"loss": [1.5, 1.0], "val_loss": [1.0, 0.8], "val_accuracy": [0.6, 0.7]}
OF_URSA = {
    "epochs": [
        {"epoch": 0, "valid_loss": 2.0, "accuracy": 0.1},
        {"epoch": 1, "train_loss": 1.5, "valid_loss": 1.0, "accuracy": 0.6},
        {"epoch": 2, "train_loss": 1.0, "valid_loss": 0.8, "accuracy": 0.7},
    ],
    "steps": [{"step": 1, "loss": 2.0, "lr": 0.1}],
    "facts": {"classes": 3, "valid_count": 50, "regularized": True, "response": "no", "dead_units": -1, "what": 1},
}


def written(tmp_path, content):
    file = tmp_path / "log"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    return file


@pytest.mark.parametrize(
    ("content", "columns"),
    [
        (FASTAI, ("train_loss", "valid_loss", "accuracy")),
        (FASTAI.replace(",", ";"), ("train_loss", "valid_loss", "accuracy")),
        ("\ufeff" + FASTAI, ("train_loss", "valid_loss", "accuracy")),
        (KERAS, ("loss", "val_loss", "val_accuracy")),
        (LIGHTNING, ("train_loss_epoch", "val_loss", "val_acc")),
        (TRAINER, ("loss", "eval_loss", "eval_accuracy")),
        (OF_KERAS, ("loss", "val_loss", "val_accuracy")),
        (OF_URSA, ("train_loss", "valid_loss", "accuracy")),
        (FASTAI.replace("train_loss", "Train Loss").replace("accuracy", "error_rate"), None),
        (FASTAI.replace("0.6", "60").replace("0.7", "70"), ("train_loss", "valid_loss", "accuracy")),
    ],
)
def test_logs_of_several_tools_are_the_same_history(tmp_path, content, columns):
    logged = read_history(written(tmp_path, content))
    history = logged.history
    np.testing.assert_allclose(history.train_loss, [1.5, 1.0])
    np.testing.assert_allclose(history.valid_loss, [1.0, 0.8])
    np.testing.assert_allclose(history.error, [0.6, 0.7] if columns is None else [0.4, 0.3])
    assert history.share
    if columns is not None:
        assert tuple(logged.columns[role] for role in ("train_loss", "valid_loss", "metric")) == columns


def test_a_metric_of_the_training_part_is_not_taken_for_one_of_validation(tmp_path):
    alone = read_history(written(tmp_path, "epoch,accuracy,loss\n0,0.5,1.5\n1,0.9,1.0\n"))
    assert alone.columns == {"train_loss": "loss"}
    assert not alone.history.validated
    chosen = read_history(written(tmp_path, KERAS.replace("val_accuracy", "val_kappa")), metric="val_kappa")
    assert (chosen.columns["metric"], chosen.history.share) == ("val_kappa", False)


def test_ursas_own_history_brings_its_start_its_steps_and_what_is_known(tmp_path):
    history = read_history(written(tmp_path, OF_URSA)).history
    assert history.start == (2.0, pytest.approx(0.9))
    assert history.step_lr.tolist() == [0.1]
    known = history.facts
    assert (known.classes, known.valid_count, known.regularized, known.response, known.dead_units) == (
        3,
        50,
        True,
        None,
        None,
    )


def test_a_loss_that_was_nan_is_seen_and_an_empty_cell_is_none(tmp_path):
    history = read_history(written(tmp_path, FASTAI.replace("1.0,0.8", "nan,0.8"))).history
    assert history.spoiled == "epoch 2"
    history = read_history(written(tmp_path, FASTAI.replace("1.0,0.8", ",0.8"))).history
    assert (history.spoiled, math.isnan(history.train_loss[1])) == ("", True)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "no row"),
        ("epoch,train_loss\n", "no row"),
        ("a,b\n1,2\n", "no column of the log is a loss"),
        (FASTAI.replace("1.0,0.8", "a lot,0.8"), "'a lot' in the column train_loss"),
        ("epoch,loss\n0,\n1,\n", "holds no number"),
        ("{", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[1, 2]", "no row"),
        ({"epochs": [1, {"a": 1}]}, "no loss"),
        (f"loss\n{'1' * 200_000}\n", "not a CSV"),
        ("epoch,loss\n0,1\x1b[2J\n", "\\x1b"),
        (json.dumps({"loss": [10**400]}), "no number"),
    ],
)
def test_anything_else_is_one_readable_error(tmp_path, content, words):
    with pytest.raises(DataError) as caught:
        read_history(written(tmp_path, content))
    assert words in str(caught.value)
    assert "\x1b" not in str(caught.value)
    assert caught.value.fix


def test_what_is_no_file_is_said_and_a_huge_one_is_not_read(tmp_path, monkeypatch):
    for place in (tmp_path, tmp_path / "none.csv"):
        with pytest.raises(DataError):
            read_history(place)
    (tmp_path / "picture.jpg").write_bytes(b"\xff\xd8\xff\x00")
    with pytest.raises(DataError, match="not a log"):
        read_history(tmp_path / "picture.jpg")
    monkeypatch.setattr(history_file, "MOST_BYTES", 50)
    with pytest.raises(DataError, match="too large"):
        read_history(written(tmp_path, FASTAI))
    monkeypatch.setattr(history_file, "MOST_BYTES", 500)
    monkeypatch.setattr(history_file, "MOST_ROWS", 1)
    with pytest.raises(DataError, match="too many rows"):
        read_history(written(tmp_path, FASTAI))
    with pytest.raises(DataError) as caught:
        read_history(written(tmp_path, OF_KERAS), metric="val_acuracy")
    assert "val_accuracy" in caught.value.fix


@settings(max_examples=100, deadline=None)
@given(
    st.text(max_size=200) | st.recursive(st.none() | st.floats() | st.text(max_size=5), st.lists, max_leaves=8).map(str)
)
def test_no_text_ends_the_process(tmp_path_factory, text):
    file = tmp_path_factory.getbasetemp() / "some.csv"
    file.write_text("epoch,loss," + text, encoding="utf-8", errors="replace")
    try:
        read_history(file)
    except DataError as problem:
        assert str(problem)
