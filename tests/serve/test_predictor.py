import hashlib
import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from ursa import seals
from ursa.core.bundles import bundle
from ursa.errors import BundleError, DataError
from ursa.serve import trial
from ursa.serve.predictor import Predictor
from ursa.serve.session import BATCH

PARTS = (bundle.MANIFEST, *bundle.PARTS)


@pytest.fixture(scope="module")
def files(bundle_files):
    return bundle_files()


@pytest.mark.parametrize("name", ["bears.ursa", "bears", "with space and ü.ursa"])
def test_a_folder_and_a_file_predict_the_same(name, files, pack, paint, tmp_path):
    predictor = Predictor(pack(files, tmp_path / name))
    assert predictor(paint("red")).label == "red"
    assert Predictor(str(tmp_path / name)).labels.names == ("blue", "green", "red")


@pytest.mark.parametrize("color", ["red", "green", "blue"])
def test_path_bytes_and_pixels_are_one_picture(predictor, paint, tmp_path, color):
    data = paint("lime" if color == "green" else color, kind="PNG")
    file = tmp_path / "picture.bin"  # the name says nothing, on purpose
    file.write_bytes(data)
    pixels = np.asarray(Image.open(io.BytesIO(data)))
    answers = [predictor(each) for each in (file, str(file), data, pixels)]
    assert {answer.label for answer in answers} == {color}
    assert all(answer == answers[0] for answer in answers)


def test_probabilities_are_the_softmax_of_the_models_logits(predictor, paint):
    answer = predictor(paint("red", (16, 16), "PNG"))
    whole = np.exp(12.0) + 2  # red 1 * 12, the others 0
    assert answer.probability == pytest.approx(np.exp(12.0) / whole, rel=1e-5)
    assert answer.probabilities == pytest.approx(
        {"blue": 1 / whole, "green": 1 / whole, "red": answer.probability}, rel=1e-4
    )
    assert answer.to_json() == {
        "label": "red",
        "probability": answer.probability,
        "probabilities": answer.probabilities,
    }


def test_temperature_divides_the_logits(bundle_files, pack, paint, tmp_path):
    warm = Predictor(pack(bundle_files(temperature=4.0), tmp_path / "warm.ursa"))
    assert warm(paint("red", (16, 16), "PNG")).probability == pytest.approx(np.exp(3.0) / (np.exp(3.0) + 2), rel=1e-5)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 255)] * 3), min_size=1, max_size=3 * BATCH), st.randoms())
def test_neither_order_nor_company_changes_a_prediction(predictor, colors, random):
    views = [np.full((16, 16, 3), color, np.uint8) for color in colors]
    together = predictor.probabilities(views)
    np.testing.assert_allclose(together.sum(1), 1, rtol=1e-5)
    order = list(range(len(views)))
    random.shuffle(order)
    np.testing.assert_allclose(
        predictor.probabilities([views[i] for i in order]), together[order], rtol=1e-5, atol=1e-7
    )
    alone = np.concatenate([predictor.probabilities([view]) for view in views])
    np.testing.assert_allclose(alone, together, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_exif_turn_is_applied(predictor, orientation):
    """Stored sideways and said so in EXIF, a picture gives the view of the upright one."""
    upright = np.zeros((32, 32, 3), np.uint8)
    upright[:16, :16] = (255, 0, 0)
    upright[16:, :8] = (0, 0, 255)
    # what a camera stores, undone step by step (EXIF 2.32, 4.6.4 A)
    stored = upright
    if orientation in (2, 3, 6, 7):
        stored = stored[:, ::-1]
    if orientation in (3, 4, 7, 8):
        stored = stored[::-1]
    if orientation >= 5:
        stored = stored.transpose(1, 0, 2)
    exif = Image.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(stored)).save(buffer, "PNG", exif=exif)
    np.testing.assert_array_equal(predictor.view(buffer.getvalue()), predictor.view(upright))


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (b"", "an empty file"),
        (b"hello, this is text", "a text file"),
        (b"<!doctype html><p>404", "an HTML page"),
        (b"%PDF-1.7", "a PDF document"),
        (b"\xff\xd8\xff" + bytes(40), "damaged JPEG|unreadable"),
    ],
)
def test_what_is_no_picture_is_named(predictor, broken, reason):
    with pytest.raises(DataError, match=reason):
        predictor(broken)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_truncated_picture_is_refused_and_not_filled_with_gray(predictor, kind):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, kind)
    with pytest.raises(DataError, match=r"truncated|unreadable"):
        predictor(buffer.getvalue()[: len(buffer.getvalue()) // 2])


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8), np.zeros((4, 4, 4), np.uint8)],
)
def test_pixels_of_another_form_are_refused(predictor, pixels):
    with pytest.raises(DataError, match="height, width, 3"):
        predictor(pixels)


def test_a_missing_file_is_named(predictor, tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.jpg"):
        predictor(tmp_path / "nowhere.jpg")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(part=st.sampled_from(PARTS), position=st.integers(0, 2**31), change=st.integers(1, 255))
def test_a_changed_byte_in_any_part_is_refused(files, pack, tmp_path, part, position, change):
    data = bytearray(files[part])
    data[position % len(data)] ^= change
    changed = pack({**files, part: bytes(data)}, tmp_path / "changed")
    with pytest.raises(BundleError):
        Predictor(changed)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    part=st.sampled_from(PARTS), cut=st.integers(0, 2**31), more=st.binary(min_size=1, max_size=3), at_end=st.booleans()
)
def test_a_shortened_or_lengthened_part_is_refused(files, pack, tmp_path, part, cut, more, at_end):
    data = files[part]
    other = data + more if at_end else data[: cut % len(data)]
    with pytest.raises(BundleError):
        Predictor(pack({**files, part: other}, tmp_path / "changed"))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 2**31), change=st.integers(1, 255))
def test_a_changed_byte_anywhere_in_a_zip_is_refused_or_harmless(files, tmp_path, position, change):
    """A zip also has bytes that say nothing of its parts, such as dates; what is read must be what was written."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    data = bytearray(buffer.getvalue())
    data[position % len(data)] ^= change
    path = tmp_path / "changed.ursa"
    path.write_bytes(data)
    try:
        whole = bundle.read(path)
    except BundleError:
        return
    assert {bundle.MANIFEST: files[bundle.MANIFEST], **whole.parts} == files


@pytest.mark.parametrize("suffix", ["", ".ursa"])
@pytest.mark.parametrize("part", PARTS)
def test_a_missing_part_is_named(files, pack, tmp_path, part, suffix):
    rest = {name: data for name, data in files.items() if name != part}
    with pytest.raises(BundleError) as caught:
        Predictor(pack(rest, tmp_path / f"less{suffix}"))
    assert part in str(caught.value)
    assert caught.value.fix


def test_a_newer_format_says_to_upgrade(bundle_files, pack, tmp_path):
    with pytest.raises(BundleError, match="newer Ursa") as caught:
        Predictor(pack(bundle_files(format=99), tmp_path / "newer.ursa"))
    assert "upgrade" in (caught.value.fix or "")


@pytest.mark.parametrize(
    "changes",
    [
        {"classes": []},
        {"temperature": 0},
        {"temperature": -1},
        {"temperature": "warm"},
        {"temperature": float("nan")},
        {"preparation": {"size": 0, "fit": "pad"}},
        {"preparation": {"size": 16, "fit": "sideways"}},
        {"preparation": {"side": 16}},
        {"preparation": None},
        {"format": "one"},
    ],
)
def test_a_senseless_manifest_is_refused(bundle_files, pack, tmp_path, changes):
    with pytest.raises(BundleError):
        Predictor(pack(bundle_files(**changes), tmp_path / "odd.ursa"))


def test_a_model_that_is_none_is_refused(bundle_files, pack, tmp_path):
    parts = {name: data for name, data in bundle_files().items() if name != bundle.MANIFEST}
    parts["model.onnx"] = b"not a model"
    document = {"classes": ["a"], "preparation": {"size": 16, "fit": "pad"}, "temperature": 1.0}
    whole = {bundle.MANIFEST: bundle.manifest(document, parts), **parts}
    with pytest.raises(BundleError, match="not of the kind that Ursa writes"):
        Predictor(pack(whole, tmp_path / "none.ursa"))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"hello", os.urandom(500)])
def test_a_file_that_is_no_bundle_is_refused(tmp_path: Path, content: bytes):
    file = tmp_path / "odd.ursa"
    file.write_bytes(content)
    with pytest.raises(BundleError):
        Predictor(file)
    with pytest.raises(BundleError, match="there is no bundle"):
        Predictor(tmp_path / "nowhere.ursa")


def test_a_model_of_this_user_is_not_tried_again_and_one_of_somebody_else_is(files, pack, tmp_path, monkeypatch):
    parts = {name: files[name] for name in bundle.PARTS}
    told = {key: value for key, value in json.loads(files[bundle.MANIFEST]).items() if key not in ("parts", "sha256")}
    digest = hashlib.sha256(parts["model.onnx"]).hexdigest()

    def bundle_with(name, seal):
        return pack({bundle.MANIFEST: bundle.manifest({**told, "seal": seal}, parts), **parts}, tmp_path / name)

    ours = bundle_with("ours.ursa", seals.seal("model.onnx", digest.encode()))
    tried = []
    monkeypatch.setattr(trial, "require_works", lambda *_: tried.append(1))
    Predictor(ours)
    assert tried == []
    for number, seal in enumerate(
        ("", "0" * 64, seals.seal("model.onnx", b"another"), seals.seal("other", digest.encode()))
    ):
        Predictor(bundle_with(f"{number}.ursa", seal))
        assert len(tried) == number + 1
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "somebody else"))
    Predictor(ours)
    assert len(tried) == 5
