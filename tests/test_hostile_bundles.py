"""A bundle from a stranger can at worst be refused: attacks of all kinds, each in a plain program like a user's."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("onnx")

spec = importlib.util.spec_from_file_location("hostile_bundles", Path(__file__).with_name("hostile_bundles.py"))
hostile = importlib.util.module_from_spec(spec)
spec.loader.exec_module(hostile)

CASES = dict(hostile.hostile_bundles())

# Opens each bundle named on a line of stdin -> how it was refused, and the seconds; with a gigabyte of memory in all.
OPEN = """
import json, resource, sys, time
from ursa.errors import BundleError
from ursa.serve.predictor import Predictor
resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, resource.getrlimit(resource.RLIMIT_DATA)[1]))
for line in sys.stdin:
    start, answer = time.perf_counter(), ["opened", None]
    try:
        Predictor(line.strip())
    except BundleError as problem:
        answer = [problem.what, problem.found]
    print(json.dumps([*answer, time.perf_counter() - start]), flush=True)
"""


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """{case: (what, found, seconds)}, by one process that has to survive all of them; "sound" is the last."""
    pytest.importorskip("resource")
    place = tmp_path_factory.mktemp("hostile")
    (place / "secret").write_bytes(b"0123456789abcdefghijklmnopqrstuvwxyz")
    paths = []
    for number, data in enumerate([*CASES.values(), hostile.sound()]):
        paths.append(place / f"{number}.ursa")
        paths[-1].write_bytes(data)
    lines = "".join(f"{path}\n" for path in paths)
    done = subprocess.run(
        [sys.executable, "-c", OPEN], input=lines, capture_output=True, text=True, timeout=280, cwd=place
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return dict(zip([*CASES, "sound"], answers, strict=True))


def test_the_sound_one_opens(opened):
    assert opened["sound"][0] == "opened"


@pytest.mark.parametrize("case", CASES)
def test_it_is_refused(opened, case):
    what, found, seconds = opened[case]
    assert what != "opened"
    assert found, what
    assert f"{what} {found}".isprintable()
    assert len(found) < 2000
    assert seconds < 90  # the trial's own limit is a minute


@pytest.mark.parametrize("case", [case for case in CASES if case.startswith("bundle.json: ")])
def test_the_key_is_named(opened, case):
    key = case.removeprefix("bundle.json: ").split()[0]
    known = hostile.document().keys() | {"parity"}
    if key in known:
        assert key in opened[case][1]


@pytest.mark.parametrize("case", [case for case in CASES if "another file" in case or "external" in case])
def test_other_files_are_refused_before_onnxruntime_sees_the_model(opened, case):
    assert opened[case][0].startswith("the model is not of the kind")
