"""The demonstration: what it says is what it does; where it cannot write, or was stopped while it wrote."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from ursa.errors import DataError
from ursa.recipe import Recipe
from ursa.workflow import demo as demos


def test_a_place_where_nothing_can_be_written_is_said_with_the_option_that_names_another(disk):
    place = disk("1m", read_only=True)
    with pytest.raises(DataError, match="cannot write the pictures") as refused:
        demos.demo(place / "there")
    assert refused.value.found == "Read-only file system"
    assert "ursa demo --to DIR" in refused.value.fix


def test_a_full_disk_leaves_no_half_a_data_set(disk):
    place = disk("300k")
    with pytest.raises(DataError, match="cannot write the pictures") as refused:
        demos.demo(place)
    assert refused.value.found == "No space left on device"
    assert list(place.iterdir()) == []


def test_digits_that_are_there_are_taken_as_they_are(tmp_path):
    (tmp_path / "digits").mkdir()
    said = []
    assert demos._digits(tmp_path, said.append) == tmp_path / "digits"
    assert said == []


def test_what_it_says_is_what_it_does(tmp_path, monkeypatch):
    """On a few of the digits: the commands that are said are those of the folders, and train what was said."""
    monkeypatch.chdir(tmp_path)
    data = load_digits()
    for digit in range(10):
        for number, row in enumerate(np.flatnonzero(data.target == digit)[:4]):
            place = Path("demo/digits") / ("test" if number == 3 else "train") / str(digit)
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray((255 - data.images[row] * 15).astype(np.uint8)).save(place / f"{row}.png")
    said = []
    result = demos.demo(Path("demo"), say=said.append, progress=False)
    assert said == [
        "ursa check demo/digits --backbone pixels",
        "ursa train demo/digits --backbone small_cnn --set epochs=15 --out demo/digits.ursa",
    ]
    history = json.loads(result.trained.history.read_text("utf-8"))
    assert Recipe.from_json(history["recipe"]) == Recipe.for_backbone("small_cnn").with_settings({"epochs": 15})
    assert result.trained.pictures["test"] == 10 and len(result.checked.catalog) == 40
    assert result.trained.bundle == Path("demo/digits.ursa") and len(result.predictions) == 4
    assert result.to_json()["train"]["kept"] == result.trained.kept
