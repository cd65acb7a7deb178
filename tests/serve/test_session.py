"""A model in onnxruntime: what it may answer, and that a run can be ended."""

import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from ursa.errors import BundleError
from ursa.serve import session, trial
from ursa.serve.session import BATCH, Session

spec = importlib.util.spec_from_file_location("hostile_bundles", Path(__file__).parents[1] / "hostile_bundles.py")
hostile = importlib.util.module_from_spec(spec)
spec.loader.exec_module(hostile)

SIZE = hostile.SIZE
VIEWS = np.random.default_rng(0).integers(0, 256, (3 * BATCH + 3, SIZE, SIZE, 3), np.uint8)


def slow_model(steps: int = 1000) -> bytes:
    """A model whose run takes a minute, in steps of some milliseconds."""
    node = helper.make_node
    nodes = [node("ReduceMean", ["scores"], ["one"], keepdims=1), node("Expand", ["one", "wide"], ["x0"])]
    nodes += [node("MatMul", [f"x{i}", "square"], [f"x{i + 1}"]) for i in range(steps)]
    nodes += [node("ReduceMean", [f"x{steps}"], ["mean"], keepdims=0), node("Add", ["scores", "mean"], ["logits"])]
    return hostile.small_model(nodes, {"square": np.eye(768, dtype=np.float32), "wide": np.array([768, 768])})


@pytest.mark.parametrize("count", [1, 2, BATCH, BATCH + 1, len(VIEWS)])
def test_every_number_of_pictures_is_answered_in_runs_that_were_tried(count, monkeypatch):
    ran = []
    model = Session(hostile.small_model(), SIZE, 3)
    run = model._run
    monkeypatch.setattr(model, "_run", lambda pictures: (ran.append(len(pictures)), run(pictures))[1])
    logits = model(VIEWS[:count])
    wanted = 12 / 255 * VIEWS[:count].astype(np.float32).mean((1, 2))[:, ::-1]  # blue, green, red
    np.testing.assert_allclose(logits, wanted, rtol=1e-5)
    assert set(ran) <= {1, BATCH}


def test_a_heavy_model_runs_picture_by_picture(monkeypatch):
    monkeypatch.setattr(session, "HEAVY", 0)
    assert Session(hostile.small_model(), SIZE, 3).batch == 1


def test_a_run_beyond_its_time_is_ended():
    model, ended = Session(slow_model(), SIZE, 3), []
    model._seconds, run = 0.5, model._session.run

    def watched(*arguments):
        try:
            return run(*arguments)
        except Exception as problem:
            ended.append(str(problem))
            raise

    model._session.run = watched
    with pytest.raises(BundleError, match="takes too long"):
        model(VIEWS[:1])
    model._pool.shutdown(wait=True)
    assert len(ended) == 1 and "terminate" in ended[0].lower()


def test_closing_ends_what_runs_and_refuses_what_comes():
    model, answers = Session(slow_model(), SIZE, 3), []

    def ask() -> None:
        try:
            model(VIEWS[:1])
        except BundleError as problem:
            answers.append(problem)

    thread = threading.Thread(target=ask)
    thread.start()
    while not model._running:
        time.sleep(0.01)
    model.close()
    thread.join(60)
    assert not thread.is_alive() and len(answers) == 1
    with pytest.raises(BundleError, match="closed"):
        model(VIEWS[:1])


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_ends_a_slow_run(tmp_path):
    (tmp_path / "model.onnx").write_bytes(slow_model())
    code = f"""
import sys, numpy as np
from ursa.serve.session import Session
model = Session(open("model.onnx", "rb").read(), {SIZE}, 3)
print("running", flush=True)
try:
    model(np.zeros((1, {SIZE}, {SIZE}, 3), np.uint8))
except KeyboardInterrupt:
    sys.exit(42)
"""
    with subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"running\n"
        time.sleep(0.3)
        child.send_signal(signal.SIGINT)
        assert child.wait(60) == 42


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import os; os.abort()", "SIGABRT"),
        ("import os; os.kill(os.getpid(), 11)", "SIGSEGV"),
        ("raise SystemExit(3)", "ended with 3"),
        ("raise RuntimeError('\\x1b[2J')", r"RuntimeError: \\x1b\[2J"),
    ],
)
@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_model_that_ends_its_process_is_refused(monkeypatch, code, reason):
    monkeypatch.setattr(trial, "_CHILD", code)
    with pytest.raises(BundleError, match="ends the program") as caught:
        trial.require_works(hostile.small_model(), SIZE, 3)
    assert caught.match(reason)


def test_a_model_that_takes_too_long_is_refused_and_its_process_is_gone(monkeypatch):
    seen, popen = [], subprocess.Popen

    def watched(*arguments, **options):
        seen.append(popen(*arguments, **options))
        return seen[-1]

    monkeypatch.setattr(trial, "seconds_for", lambda _: 2.0)
    monkeypatch.setattr(subprocess, "Popen", watched)
    with pytest.raises(BundleError, match="takes too long"):
        trial.require_works(slow_model(), SIZE, 3)
    assert seen[0].returncode is not None


def test_without_a_python_to_start_there_is_a_way_for_ones_own_bundles(monkeypatch):
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    with pytest.raises(BundleError, match="cannot be tried") as caught:
        trial.require_works(hostile.small_model(), SIZE, 3)
    assert "trusted=True" in caught.value.fix


@pytest.mark.skipif(sys.platform != "linux", reason="no other system limits the memory of a process")
def test_the_trials_memory_is_limited(monkeypatch):
    limited = trial._CHILD.replace("main(", "import ursa.serve.trial as trial\ntrial.MEMORY = 400 << 20\nmain(")
    node = helper.make_node
    nodes = [
        node("Expand", ["scores", "shape"], ["large"]),
        node("ReduceMean", ["large"], ["mean"], keepdims=0),
        node("Add", ["scores", "mean"], ["logits"]),
    ]
    model = hostile.small_model(nodes, {"shape": np.array([40_000_000, 1, 1])})  # 480 MB for each picture
    monkeypatch.setattr(trial, "_CHILD", limited)
    with pytest.raises(BundleError):
        trial.require_works(model, SIZE, 3)


def test_external_data_reach_no_file_even_without_the_check_before(tmp_path, monkeypatch):
    """The second line: onnxruntime itself is told to look where nothing can be."""
    (tmp_path / "secret").write_bytes(bytes(36))
    monkeypatch.chdir(tmp_path)
    models = dict(hostile.hostile_models())
    named = [name for name in models if "another file" in name]
    assert len(named) >= 5
    for name in named:
        with pytest.raises(BundleError, match="cannot load"):
            Session(models[name], SIZE, 3)
