"""What surrounds every command: errors as one readable block, Ctrl-C that says how to go on, exit codes."""

import errno
import functools
import re
import sys
import traceback
from collections.abc import Callable
from importlib.metadata import requires, version
from typing import NoReturn, ParamSpec

import typer

from ursa.cli import output
from ursa.cli.interrupts import INTERRUPTED, no_more
from ursa.cli.output import print_json, say
from ursa.core.text import escaped
from ursa.errors import UrsaError

P = ParamSpec("P")

MISUSE, ANSWER_IS_NO = 2, 1
UNFORESEEN = 70  # EX_SOFTWARE of sysexits.h: neither a "no" nor misuse

HINTS = {
    errno.ENOSPC: "free some space, or write to another disk",
    errno.EDQUOT: "free some space, or write to another disk",
    errno.EROFS: "write to another folder",
    errno.EACCES: "check who may read and write it",
    errno.EPERM: "check who may read and write it",
    errno.EMFILE: "allow more open files: ulimit -n 4096",
    errno.ENFILE: "close other programs",
    errno.EIO: "the disk or the network behind it fails: try again, or copy the files elsewhere",
}


def guarded(command: Callable[P, None]) -> Callable[P, None]:
    """A command that ends in one readable block, whatever happens; `--debug` shows the traceback above it.

    Exits 2 with an error's text, 70 where something went wrong that nobody foresaw, 130 after Ctrl-C.
    """

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        debug, as_json = bool(kwargs.get("debug")), bool(kwargs.get("json_"))
        try:
            command(*args, **kwargs)
        except typer.Exit as over:
            if over.exit_code == INTERRUPTED:
                no_more()
            raise
        except KeyboardInterrupt as stopped:
            no_more()
            if debug:
                say(_traceback(stopped))
            say("\nStopped. What was finished is kept; run the same command again to go on from there.")
            sys.exit(INTERRUPTED)
        except BrokenPipeError:  # the reader of a pipe has gone, as in `ursa predict ... | head`
            output.abandon(sys.stdout)
            sys.exit(ANSWER_IS_NO)
        except Exception as problem:  # noqa: BLE001  # told, never swallowed
            fail(problem, as_json=as_json, debug=debug)

    return run


def fail(problem: BaseException, *, as_json: bool = False, debug: bool = False) -> NoReturn:
    """Print the error for people on stderr, for programs on stdout, and exit."""
    told, code = explained(problem)
    if debug:
        say(_traceback(problem))
    say(f"Error: {_block(told)}")
    try:
        sys.stdout.flush()
        if as_json:
            print_json(told.to_json())
    except OSError:  # nobody can read it there; on stderr it has been said
        output.abandon(sys.stdout)
    sys.exit(code)


def misuse_of(problem: Exception) -> Exception:
    """What Typer says of unknown options and the like, as an error of ours; any other exception as it is."""
    say_it, context = getattr(problem, "format_message", None), getattr(problem, "ctx", None)
    if say_it is None:
        return problem
    if type(problem).__name__ == "NoArgsIsHelpError":  # the help is its message, or has been printed
        say(say_it())
        sys.exit(MISUSE)
    command = "ursa" if context is None else context.command_path
    return UrsaError(say_it().rstrip("."), fix=f"{command} --help")


def explained(problem: BaseException) -> tuple[UrsaError, int]:
    """Any exception -> what to say of it, and the exit code."""
    if isinstance(problem, UrsaError):
        return problem, MISUSE
    again = "run it again with --debug, and report what that prints"
    if isinstance(problem, MemoryError) or type(problem).__name__ == "OutOfMemoryError":  # the latter is torch's
        fix = "close other programs, take fewer pictures at a time, or a smaller --backbone"
        return UrsaError("there is not enough memory", found=str(problem) or "the system gave no more", fix=fix), 70
    if isinstance(problem, OSError):
        fix = HINTS.get(problem.errno or 0, f"check files and disk; if they are sound, {again}")
        if (full := output.broken(sys.stdout)) is not None:
            return UrsaError("the answer cannot be written to stdout", found=full.strerror, fix=fix), UNFORESEEN
        found = problem.strerror or str(problem) or type(problem).__name__
        where = "" if problem.filename is None else f": {problem.filename}"
        return UrsaError("the system refused what this command needs", found=f"{found}{where}", fix=fix), UNFORESEEN
    if isinstance(problem, ModuleNotFoundError) and (extra := _extra_with(problem.name or "")):
        fix = f"python -m pip install 'ursa-learn[{extra}]'"
        return UrsaError(
            f"this command needs the extra {extra!r}", found=f"no module {problem.name!r}", fix=fix
        ), MISUSE
    words = f"{type(problem).__name__}: {problem}".strip().splitlines()[0][:300]
    found = f"{words}, in {_place(problem)}, ursa {version('ursa-learn')}"
    return UrsaError("this is a bug in Ursa, not a mistake of yours", found=found, fix=again), UNFORESEEN


def _extra_with(module: str) -> str | None:
    """The smallest extra of Ursa that installs this module, by the requirements of the installed package."""
    package = module.partition(".")[0].replace("_", "-")
    package = {"sklearn": "scikit-learn", "multipart": "python-multipart"}.get(package, package)
    asked = [text.partition(";") for text in requires("ursa-learn") or () if re.split(r"[^\w-]", text)[0] == package]
    extras = {condition.strip().removeprefix("extra == ").strip("'\"") for _, _, condition in asked}
    return next((extra for extra in ("serve", "heic", "track", "learn") if extra in extras), None)


def _block(problem: UrsaError) -> str:
    """As `str(problem)`, each part on the lines that Ursa gave it."""
    parts = (("\n  found: ", problem.found), ("\n  fix:   ", problem.fix))
    return escaped(problem.what) + "".join(f"{name}{escaped(part)}" for name, part in parts if part is not None)


def _place(problem: BaseException) -> str:
    """The innermost line of Ursa's own."""
    frames = traceback.extract_tb(problem.__traceback__)
    own = [frame for frame in frames if "/ursa/" in frame.filename.replace("\\", "/")] or frames[-1:]
    if not own:
        return "no line that is known"
    name = own[-1].filename.replace("\\", "/").rpartition("/ursa/")[2]
    return f"{name} line {own[-1].lineno}"


def _traceback(problem: BaseException) -> str:
    return "".join(traceback.format_exception(problem)).rstrip("\n")
