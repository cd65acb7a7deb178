"""What format 2 added: several labels, numbers, examples and what a person writes; refused where it makes no sense."""

import hashlib
import json
import zipfile

import pytest

from ursa.core.bundles import bundle
from ursa.core.bundles.bundle import FORMAT, MANIFEST, PARTS
from ursa.core.bundles.example import MOST_EXAMPLES, Example, example_name
from ursa.errors import BundleError

DOCUMENT = {"classes": ["grizzly", "teddy"], "preparation": {"size": 96, "fit": "pad"}, "temperature": 1.0}
CONTENTS = {name: name.encode() * 9 for name in PARTS}
JPEG = b"\xff\xd8\xff\xe0 a small one"
METRIC = {"value": 0.9, "low": 0.8, "high": 1.0, "method": "held out"}


def signed(**changes):
    """bundle.json with other entries and a hash that is right: what somebody else may write on purpose."""
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in CONTENTS.items()}
    text = json.dumps({"format": FORMAT, **DOCUMENT, "parts": hashes, **changes, "sha256": ""})
    return text.replace('"sha256": ""', f'"sha256": "{hashlib.sha256(text.encode()).hexdigest()}"').encode()


def zipped(files, path):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def with_examples(count, data=JPEG, **changes):
    parts = {**CONTENTS, **{example_name(number): data for number in range(count)}}
    listed = [{"part": example_name(number), "label": f"class {number}"} for number in range(count)]
    return {MANIFEST: bundle.manifest({**DOCUMENT, "examples": listed, **changes}, parts), **parts}


@pytest.mark.parametrize("task", ["single-label", "multi-label", "regression"])
def test_the_task_of_a_bundle_is_read(tmp_path, task):
    assert bundle.read(zipped({**CONTENTS, MANIFEST: signed(task=task)}, tmp_path / "m.ursa")).task == task


@pytest.mark.parametrize("form", ["file", "folder"])
def test_examples_are_read_in_their_order(tmp_path, form):
    files = with_examples(3)
    path = tmp_path / "m.ursa"
    if form == "file":
        zipped(files, path)
    else:
        path.mkdir()
        for name, data in files.items():
            (path / name).write_bytes(data)
    assert bundle.read(path).examples == tuple(Example(f"class {number}", JPEG) for number in range(3))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"task": "several"}, "task"),
        ({"task": None}, "task"),
        ({"task": "multi-label", "format": 1}, "task"),  # an earlier Ursa would read it as one class a picture
        ({"task": "multi-label", "thresholds": {"abstain": {"value": 0.5}}}, "thresholds"),
        ({"task": "regression", "thresholds": {"costs": {"grizzly": {"miss": 1, "false_alarm": 1}}}}, "thresholds"),
        ({"per_class": {"wolf": {}}}, "per_class"),
        ({"per_class": {"grizzly": {"recall": 0.9}}}, "per_class"),
        ({"per_class": {"grizzly": {"recall": METRIC, "pictures": -1}}}, "per_class"),
        ({"per_class": []}, "per_class"),
        ({"calibration": {"error": "small"}}, "calibration"),
        ({"weaknesses": "none"}, "weaknesses"),
        ({"weaknesses": ["x" * 1001]}, "weaknesses"),
        ({"weaknesses": ["x"] * 21}, "weaknesses"),
        ({"about": {"intended_use": 3}}, "about"),
        ({"about": {"intended_use": "x" * 10_001}}, "about"),
        ({"about": {"advertising": "x"}}, "about"),
        ({"examples": {}}, "examples"),
        ({"examples": [{"part": "model.onnx", "label": ""}]}, "examples"),
        ({"examples": [{"part": "../example-0.jpg", "label": ""}]}, "examples"),
        ({"examples": [{"part": "example-1.jpg", "label": ""}]}, "examples"),
        ({"examples": [{"part": "example-0.jpg", "label": None}]}, "examples"),
        ({"examples": [{"part": example_name(n), "label": ""} for n in range(MOST_EXAMPLES + 1)]}, "examples"),
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused_and_named(tmp_path, changes, named):
    with pytest.raises(BundleError, match="is damaged") as refused:
        bundle.read(zipped({**CONTENTS, MANIFEST: signed(**changes)}, tmp_path / "m.ursa"))
    assert named in refused.value.found


def test_an_example_without_a_hash_one_that_is_missing_and_one_that_is_no_jpeg_are_refused(tmp_path):
    unsigned = {**CONTENTS, MANIFEST: signed(examples=[{"part": "example-0.jpg", "label": ""}]), "example-0.jpg": JPEG}
    missing = {name: data for name, data in with_examples(2).items() if name != "example-1.jpg"}
    html = with_examples(1, b"<script>alert(1)</script>")
    for files, said in ((unsigned, "has no hash"), (missing, "is missing"), (html, "is no JPEG")):
        with pytest.raises(BundleError, match=said):
            bundle.read(zipped(files, tmp_path / "m.ursa"))


def test_an_example_that_is_too_large_is_refused(tmp_path):
    with pytest.raises(BundleError, match="limit"):
        bundle.read(zipped(with_examples(1, JPEG + bytes(1 << 20)), tmp_path / "m.ursa"))
