"""Decoders with a planted fault: a module `simplejpeg` that does what the comment of a JPEG says.

plant                  a folder that holds it; put it first in PYTHONPATH or `sys.path` of whoever starts workers
planted("abort")       the bytes of a JPEG that has the fault
"""

import io

import numpy as np
import pytest
from PIL import Image

MODULE = '''
"""The real simplejpeg, but for pictures whose comment says PLANTED: and a fault."""
import importlib.machinery, importlib.util, os, pathlib, socket, subprocess, sys, time

import numpy

_here = str(pathlib.Path(__file__).parent)
_spec = importlib.machinery.PathFinder.find_spec("simplejpeg", [p for p in sys.path if p != _here])
_real = importlib.util.module_from_spec(_spec)
_mine, sys.modules["simplejpeg"] = sys.modules[__name__], _real
_spec.loader.exec_module(_real)
sys.modules["simplejpeg"] = _mine
_later = []


def _attempts():
    """What code that has taken a worker over would try; the names of what succeeded."""
    def fork():
        if os.fork() == 0:
            os._exit(0)
    tries = {
        "read": lambda: open("/etc/hostname").read(),
        "write": lambda: open(f"{_here}/written", "w").close(),
        "list": lambda: os.listdir("/"),
        "delete": lambda: os.unlink(__file__),
        "socket": lambda: socket.socket(),
        "program": lambda: subprocess.run(["true"]),
        "execute": lambda: os.execv("/bin/true", ["true"]),
        "kill": lambda: os.kill(os.getppid(), 0),
    }
    done = []
    for name, attempt in tries.items():
        try:
            attempt()
        except Exception:
            continue
        done.append(name)
    return done


def _fault(data):
    place = bytes(data).find(b"PLANTED:")
    name = bytes(data)[place + 8 :].split(b";")[0].decode() if place >= 0 else ""
    if _later and name != "later":
        os.abort()
    if name == "abort":
        os.abort()
    if name == "exit":
        os._exit(3)
    if name == "loop":
        while True:
            pass
    if name == "sleep":
        time.sleep(600)
    if name == "memory":
        held = []
        while True:
            held.append(numpy.zeros(64 << 20, numpy.uint8))
    if name == "later":
        _later.append(name)
    if name == "attempts":
        raise RuntimeError("done:" + ",".join(_attempts()) + f" uid {os.getuid()}")


def decode_jpeg_header(data, *more, **named):
    _fault(data)
    return _real.decode_jpeg_header(data, *more, **named)


def decode_jpeg(data, *more, **named):
    _fault(data)
    return _real.decode_jpeg(data, *more, **named)
'''


@pytest.fixture(scope="session")
def plant(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plant")
    (folder / "simplejpeg.py").write_text(MODULE)
    return folder


@pytest.fixture(scope="session")
def planted(photo):
    def of(fault: str, seed: int = 0) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(np.asarray(photo(seed, 64, 48))).save(buffer, "JPEG", comment=f"PLANTED:{fault};".encode())
        return buffer.getvalue()

    return of
