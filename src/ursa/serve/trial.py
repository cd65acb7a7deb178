"""A stranger's model is loaded and run in another process first: one that crashes or takes all memory costs no more.

onnxruntime is 20 MB of C++ that reads whatever a file says. What it does with a model depends on the model and on the
number of pictures, and on the pixels only as numbers (`core/onnx_rules.py`), so what went well once goes well again.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys

import numpy as np

from ursa.core.bundles.onnx_runtime import onnxruntime
from ursa.core.text import escaped
from ursa.errors import BundleError
from ursa.serve.session import Session, seconds_for

MEMORY = 2 << 30  # bytes that a model may take beside 4 times its own; measured: see docs/decisions.md
PER_CORE = 32 << 20  # bytes: stack and heap of each of onnxruntime's threads

_CHILD = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from ursa.serve.trial import main
main(*map(int, sys.argv[2:]))
"""
_FIX = "take bundles from people you trust, or train again: ursa train FOLDER"


def require_works(model: bytes, size: int, classes: int) -> None:
    """Returns when the model has answered for noise. Raises BundleError with what happened instead.

    Needs a Python to start: in a program that brings its own (a frozen one) there is none, and BundleError says so.
    """
    if not sys.executable or getattr(sys, "frozen", False):
        fix = "where you made the bundle yourself: Predictor(path, trusted=True)"
        raise BundleError("the model cannot be tried in another process", found="no Python to start", fix=fix)
    command = [sys.executable, "-I", "-c", _CHILD, json.dumps(sys.path), str(size), str(classes)]
    pipe, seconds = subprocess.PIPE, seconds_for(model)
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as child:
        try:
            onnxruntime()  # is imported while the child does the same

            said, complaints = child.communicate(model, timeout=seconds)
        except subprocess.TimeoutExpired as problem:
            found = f"no answer after {seconds:.0f} s"
            raise BundleError("the model takes too long", found=found, fix=_FIX) from problem
        finally:
            child.kill()
    _require_well(child.returncode, said, complaints)


def _require_well(code: int, said: bytes, complaints: bytes) -> None:
    answer = _answer(said) if code == 0 else None
    if answer == {}:
        return
    if answer:
        raise BundleError(answer["error"], found=answer["found"], fix=answer["fix"])
    lines = complaints[-2000:].decode("utf-8", "replace").split("\n")
    last = next((line for line in reversed(lines) if line.strip()), "")
    found = f"ended by {_signal(-code)}" if code < 0 else escaped(last) or f"ended with {code}"
    raise BundleError("the model ends the program that opens it", found=f"in a trial: {found}", fix=_FIX)


def _answer(said: bytes) -> dict[str, str] | None:
    """{} for a model that works, its refusal for one that does not, None for what the child did not say."""
    with contextlib.suppress(ValueError):
        answer = json.loads(said)
        if isinstance(answer, dict) and answer.keys() in ({"error", "found", "fix"}, set()):
            return answer
    return None


def _signal(number: int) -> str:
    with contextlib.suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"


def main(size: int, classes: int) -> None:
    """The child: a model comes in, {} or a refusal goes out."""
    onnxruntime()  # is imported before its own memory is counted

    model = sys.stdin.buffer.read()
    _limit_memory(MEMORY + 4 * len(model) + PER_CORE * (os.cpu_count() or 1))
    answer: dict[str, str | None] = {}
    try:
        session = Session(model, size, classes)
        noise = np.random.default_rng(0).integers(0, 256, (session.batch, size, size, 3), np.uint8)
        session(noise)
        session(noise[:1])
    except BundleError as problem:
        answer = problem.to_json()
    except MemoryError:
        answer = BundleError("the model takes too much memory", fix=_FIX).to_json()
    sys.stdout.write(json.dumps(answer))
    sys.stdout.flush()
    os._exit(0)  # whatever a broken model left behind is not tidied up


def _limit_memory(most: int) -> None:
    """Where the system can (Linux; macOS and Windows take no notice): allocating more fails, and no file is written."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))
