"""What surrounds every command: errors as one readable block, Ctrl-C that says how to go on, exit codes."""

import functools
import json
import sys
from collections.abc import Callable
from typing import Any, NoReturn, ParamSpec

from ursa.errors import UrsaError

P = ParamSpec("P")

MISUSE, ANSWER_IS_NO, INTERRUPTED = 2, 1, 130


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """A command that exits 2 with an error's text, 130 after Ctrl-C; `--debug` shows the traceback instead."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except UrsaError as problem:
            if kwargs.get("debug"):
                raise
            fail(problem, as_json=bool(kwargs.get("json_")))
        except KeyboardInterrupt:
            if kwargs.get("debug"):
                raise
            say("\nStopped. What was finished is kept; run the same command again to go on from there.")
            sys.exit(INTERRUPTED)
        except BrokenPipeError:  # the reader of a pipe has gone, as in `ursa predict ... | head`
            sys.stderr.close()
            sys.exit(ANSWER_IS_NO)

    return run


def fail(problem: UrsaError, *, as_json: bool) -> NoReturn:
    """Print the error for people on stderr, for programs on stdout, and exit."""
    if as_json:
        print_json(problem.to_json())
    say(f"Error: {problem}")
    sys.exit(MISUSE)


def say(text: str) -> None:
    """A line for people: on stderr, so that stdout holds the answer alone."""
    print(text, file=sys.stderr, flush=True)


def print_json(document: Any) -> None:
    """The one document of `--json`, on stdout."""
    print(json.dumps(document, indent=1, ensure_ascii=False), flush=True)
