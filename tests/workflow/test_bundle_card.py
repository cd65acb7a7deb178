"""`ursa.card`: what only a person can say, and examples; the model stays the same, byte for byte."""

import io

import numpy as np
import pytest
from PIL import Image

import ursa
from ursa.core.bundles import bundle as bundles
from ursa.errors import BundleError, DataError


def test_a_card_says_what_was_measured(trained):
    found = ursa.card(trained[1].bundle)
    for said in ("It knows no others", "| red | ", "Known weaknesses", "Not stated", "sha256"):
        assert said in found.text
    document = bundles.read(trained[1].bundle).document
    assert set(document["per_class"]) == {"red", "green", "blue"}
    assert document["calibration"]["pictures"] == sum(one["pictures"] for one in document["per_class"].values())


def test_what_a_person_says_is_kept_and_can_be_taken_out_again(trained, tmp_path):
    before, out = bundles.read(trained[1].bundle), tmp_path / "m.ursa"
    said = {"intended_use": "For *colors*.\nNot for safety.", "authors": "A. <b>Painter</b>", "license": "CC0"}
    found = ursa.card(trained[1].bundle, said, out=out)
    assert "For \\*colors\\*" in found.text
    assert "&lt;b&gt;" in found.text
    assert "Not stated" not in found.text
    after = bundles.read(out)
    assert after.document["about"] == said
    assert after.parts["model.onnx"] == before.parts["model.onnx"]
    assert {key: value for key, value in after.document.items() if key not in ("about", "parts", "sha256")} == {
        key: value for key, value in before.document.items() if key not in ("parts", "sha256")
    } | {"thresholds": {}}
    shorter = ursa.card(out, {"license": "", "contact": "me"})
    assert set(shorter.about) == {"intended_use", "authors", "contact"}
    assert ursa.Predictor(out)(np.full((30, 30, 3), (250, 10, 10), np.uint8)).label == "red"


def test_examples_are_small_jpegs_without_the_facts_of_their_files(trained, tmp_path):
    photo = tmp_path / "red" / "holiday.jpg"
    photo.parent.mkdir()
    picture = Image.new("RGB", (1200, 800), (250, 10, 10))
    exif = picture.getexif()
    exif[0x010F] = "a camera with my name"
    picture.save(photo, exif=exif)
    small = next(trained[0].glob("green/*"))
    found = ursa.card(trained[1].bundle, examples=[photo, small], out=tmp_path / "m.ursa")
    assert found.examples == 2
    examples = bundles.read(tmp_path / "m.ursa").examples
    assert [one.label for one in examples] == ["red", "green"]
    shown = [Image.open(io.BytesIO(one.jpeg)) for one in examples]
    with Image.open(small) as original:
        size = original.size
    assert [each.format for each in shown] == ["JPEG", "JPEG"]
    assert shown[0].size == (480, 320)
    assert shown[1].size == size  # a small one is not magnified
    assert b"my name" not in examples[0].jpeg
    assert not shown[0].getexif()
    ursa.card(tmp_path / "m.ursa", {"license": "CC0"})
    assert len(bundles.read(tmp_path / "m.ursa").examples) == 2  # other changes leave them
    assert ursa.card(tmp_path / "m.ursa", examples=[]).examples == 0
    assert not [name for name in bundles.read(tmp_path / "m.ursa").parts if name.startswith("example")]


def test_thresholds_survive_a_card_and_a_card_survives_thresholds(trained, tmp_path, picture_folder):
    out = tmp_path / "m.ursa"
    ursa.card(trained[1].bundle, {"license": "CC0"}, examples=[next(trained[0].glob("red/*"))], out=out)
    other = picture_folder(tmp_path / "other", {"red": 4, "green": 4, "blue": 4}, seed=7)
    ursa.evaluate(out, other, costs={"red": (10, 1)}, out=out)
    read = bundles.read(out)
    assert "red" in read.decisions.costs
    assert read.document["about"] == {"license": "CC0"}
    assert len(read.examples) == 1
    ursa.card(out, {"contact": "me"})
    assert "red" in bundles.read(out).decisions.costs


def test_what_cannot_be_said_is_refused_and_the_bundle_stays(trained, tmp_path):
    out = tmp_path / "m.ursa"
    ursa.card(trained[1].bundle, {"license": "CC0"}, out=out)
    before = out.read_bytes()
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(DataError, match="no 'licence'") as refused:
        ursa.card(out, {"licence": "CC0"})
    assert "license" in refused.value.fix
    with pytest.raises(DataError, match="cannot be an example"):
        ursa.card(out, examples=[tmp_path / "text.jpg"])
    with pytest.raises(DataError, match="up to 12"):
        ursa.card(out, examples=[next(trained[0].glob("red/*"))] * 13)
    with pytest.raises(BundleError):
        ursa.card(out, {"license": "x" * 10_001})
    with pytest.raises(DataError, match="nothing is changed"):
        ursa.card(out, out=tmp_path / "other.ursa")
    assert out.read_bytes() == before
