"""A finding: what a case did, where, and the case. Two of one signature are one finding."""

import re
import signal
import traceback
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KINDS = ("crash", "hang", "memory", "exception")
FRAME = re.compile(r'File "([^"]+)", line (\d+) in (\S+)')


@dataclass
class Finding:
    """What one case did, and how often others did the same."""

    target: str
    kind: str  # one of KINDS
    what: str  # "SIGSEGV", "KeyError", "over 2 s of CPU"
    where: str  # the innermost frames
    about: str  # what the case is: "JPEG"
    data: bytes
    recent: list[bytes] = field(default_factory=list)  # cases that ran before it in the same process, newest first
    detail: str = ""  # a message or a stack
    seen: int = 1
    second: float = 0.0  # since the start
    reproduced: bool = True  # whether the case alone does it again

    @property
    def signature(self) -> tuple[str, str, str, str, str]:
        """What makes it the same as another one."""
        return self.target, self.kind, self.what, self.where, self.about


def of_exception(target: str, problem: BaseException, data: bytes, about: str) -> Finding:
    """An exception that was none of Ursa's errors: its type, our innermost frame, and the innermost of all."""
    frames = traceback.extract_tb(problem.__traceback__)
    places = [f"{_short(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames]
    ours = [place for place in places if place.startswith("ursa/")]
    where = " < ".join(dict.fromkeys([*places[-1:], *ours[-1:]]))
    name = f"{type(problem).__module__}.{type(problem).__qualname__}".removeprefix("builtins.")
    kind = "memory" if isinstance(problem, MemoryError) else "exception"
    return Finding(target, kind, name, where, about, data, detail=_first_line(problem))


def of_death(target: str, code: int, stack: str, recent: list[bytes], about: str, seconds: float) -> Finding:
    """A child that ended while it ran a case. `code`: as multiprocessing gives it, -9 for SIGKILL."""
    places = [f"{_short(file)}:{line} {name}" for file, line, name in FRAME.findall(_current(stack))]
    places = [place for place in places if not place.startswith(("fuzz/child.py", "multiprocessing/", "<string>"))]
    ours = [place for place in places if place.startswith("ursa/")]
    where = " < ".join(dict.fromkeys([*places[:1], *ours[:1]])) or "nobody knows where"
    if code == -signal.SIGPROF:
        kind, what = "hang", f"over {seconds:g} s of CPU"
    elif code == -signal.SIGALRM:
        kind, what = "hang", "waits for ever"
    elif code == -signal.SIGKILL:
        kind, what = "memory", "killed: out of memory"
    elif code < 0:
        kind, what = "crash", signal.Signals(-code).name
    else:
        kind, what = "crash", f"exit {code}"
    return Finding(target, kind, what, where, about, recent[0], recent[1:], stack)


def _current(stack: str) -> str:
    """The stack of the thread that ran Python when it happened; of all where none says so."""
    at = stack.find("Current thread")
    return stack[at:].split("\n\n")[0] if at >= 0 else stack


def _short(file: str) -> str:
    """A path from the package on."""
    for mark in ("/site-packages/", f"{ROOT}/src/", f"{ROOT}/"):
        if mark in file:
            return file.split(mark, 1)[1]
    return "/".join(Path(file).parts[-2:])


def _first_line(problem: BaseException) -> str:
    said = str(problem).strip()
    return said.splitlines()[0][:200] if said else ""
