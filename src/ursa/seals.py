"""Who made a file: a seal is a keyed hash of it that only this user can make. What carries none is not believed.

A workspace travels with its pictures, and whoever packed them may have put any figures into it. A checksum would not
help, as anybody can compute one. So each file that Ursa would rather read than compute again is sealed (HMAC-SHA256,
RFC 2104) with a key that never leaves the user's own state folder. A folder that was moved is still believed; one that
came from somebody else, or that was changed on the way, is not.
"""

import contextlib
import functools
import hmac
import mmap
import os
import secrets
import sys
from pathlib import Path

from ursa.core import files
from ursa.errors import DataError

BYTES = 32  # of the key
CONTEXT = b"ursa workspace 1\0"


def seal(name: str, content: bytes | memoryview | mmap.mmap) -> str:
    """name: of the file inside its workspace, so that none can take the place of another. -> 64 hexadecimal digits."""
    digest = hmac.new(_key(_state()), CONTEXT + name.encode("utf-8", "surrogateescape") + b"\0", "sha256")
    digest.update(content)
    return digest.hexdigest()


def lasting() -> bool:
    """Whether the key outlives this process; if not, nothing that it seals is believed by the next one."""
    _key(_state())
    return (_state() / "seal.key").exists()


def _state() -> Path:
    """The user's folder for what programs keep between runs (XDG base directories; its like on Windows)."""
    names = ("LOCALAPPDATA",) if sys.platform == "win32" else ("XDG_STATE_HOME", "HOME")
    return _state_by(*(os.environ.get(name, "") for name in names))


@functools.cache  # a journal has a seal a line, and paths take longer than seals
def _state_by(given: str, home: str = "") -> Path:
    if sys.platform == "win32":
        return Path(given or Path.home() / "AppData" / "Local") / "ursa"
    if Path(given).is_absolute():
        return Path(given) / "ursa"
    return Path(home or "/nonexistent") / ".local" / "state" / "ursa"


@functools.cache
def _key(state: Path) -> bytes:
    """The user's key, made at first use; one for this process alone where none can be kept."""
    path = state / "seal.key"
    new = secrets.token_bytes(BYTES)
    known = _read(path)
    if known is not None:
        return known
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(new)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(part, path)  # of two processes that begin at once the first one's counts
        except OSError:
            if _read(path) is None:  # a damaged key is there, or the file system knows no links
                os.replace(part, path)
        return _read(path) or new
    except OSError:  # no home, or one that may not be written to: sealed for this process alone
        return new
    finally:
        with contextlib.suppress(OSError):
            part.unlink()


def _read(path: Path) -> bytes | None:
    try:
        with files.opened(path) as (descriptor, about):
            mine = not hasattr(os, "geteuid") or about.st_uid == os.geteuid()
            key = files.read(descriptor, BYTES + 1) if mine else b""
    except (OSError, DataError):
        return None
    return key if len(key) == BYTES else None
