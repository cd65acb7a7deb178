"""What leaves the process: lines for people on stderr, one document on stdout. Nothing of it moves a cursor."""

import contextlib
import json
import os
import shlex
import sys
from collections.abc import Iterable
from typing import Any, TextIO

from ursa.core.text import escaped


def prepare() -> None:
    """Streams that take any text: a letter that they cannot encode is written as its code.

    One that was closed (`ursa check bears >&-`) goes nowhere, and its number is taken by no other file.
    """
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  # until the process ends
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")


def say(text: str) -> None:
    """A line for people: on stderr, so that stdout holds the answer alone."""
    with contextlib.suppress(OSError):  # stderr has gone: there is nobody to tell
        print(escaped(text, lines=True), file=sys.stderr, flush=True)


def print_json(document: Any) -> None:
    """The one document of `--json`, on stdout."""
    print(json_text(document, sys.stdout.encoding or "utf-8"), flush=True)


def json_text(document: Any, encoding: str = "utf-8") -> str:
    r"""The document, its control characters, marks of direction and lone surrogates as \u202e: strict readers and
    terminals take it, and the text that comes out of a reader is the one that was put in.
    """
    text = json.dumps(document, indent=1, ensure_ascii="utf" not in encoding.lower(), allow_nan=False)
    return "".join(letter if letter.isprintable() or letter == "\n" else json.dumps(letter)[1:-1] for letter in text)


def shell_line(words: Iterable[object]) -> str:
    """Words -> a command line to be copied into a shell, whatever is in them."""
    return " ".join(_quoted(str(word)) for word in words)


def path_word(path: object) -> str:
    """A path as a word of a command line, where one that begins with a dash would be taken for an option."""
    return f"./{path}" if str(path).startswith("-") else str(path)


def broken(stream: TextIO) -> OSError | None:
    """Why a stream takes no more, such as a full disk."""
    try:
        stream.flush()
    except OSError as problem:
        return problem
    except ValueError:  # it was closed
        return None
    return None


def abandon(stream: TextIO) -> None:
    """What is still to be written goes nowhere: its reader has gone, and the exit must not complain again."""
    try:
        number = stream.fileno()
    except (OSError, ValueError):  # no file
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, number)
    os.close(nowhere)


def _quoted(word: str) -> str:
    r"""Quoted as POSIX says; with control characters in it as $'\x1b', which bash, zsh and ksh read."""
    if escaped(word) == word:
        return shlex.quote(word)
    letters = (letter if escaped(letter) == letter and letter not in "'\\" else _bytes(letter) for letter in word)
    return f"$'{''.join(letters)}'"


def _bytes(letter: str) -> str:
    if letter in "'\\":
        return f"\\{letter}"
    return "".join(
        f"\\x{byte:02x}" for byte in letter.encode("utf-8", "surrogateescape" if _raw(letter) else "surrogatepass")
    )


def _raw(letter: str) -> bool:
    """Whether it stands for a byte of a file name that is no UTF-8 (PEP 383)."""
    return "\udc80" <= letter <= "\udcff"
