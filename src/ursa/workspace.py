"""The .ursa/ folder beside the pictures: where things lie, which schema, how they are written and read again.

Every file is written whole under another name, flushed, and renamed into place, so that a kill or a full disk leaves
either the old file or the new one. Nothing outside the workspace is ever written: a workspace may have come with
somebody's pictures, so links in it are refused, and what could be computed again is believed only where it carries this
user's seal (see `ursa.seals`).
"""

import contextlib
import errno
import json
import mmap
import os
import shutil
import stat
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from ursa import links, seals
from ursa.core import files
from ursa.errors import DataError

NAME = ".ursa"
SCHEMA = 1
_FILES = ("catalog.parquet", "backbones.json", "thumbnails.safetensors", "findings.json", "review_thumbnails.bin")
DERIVED = (*_FILES, "embeddings", "pixels", "probes", "fold_repeats")  # what can be computed again

MOST = 1 << 30  # bytes of a file that is read whole
SEALS = 4  # kept beside a file, the newest last: what others wrote at the same time is believed too


@dataclass(frozen=True)
class Workspace:
    """The paths of one workspace. `Workspace.open` makes it ready for writing, `Workspace.of` for reading."""

    root: Path
    elsewhere: bool = field(default=False, compare=False)  # made by another user, and opened here for the first time

    @classmethod
    def of(cls, folder: str | Path, at: Path | None = None) -> "Workspace":
        """The workspace of a picture folder, there or not. Raises DataError where links lead out of it."""
        space = cls(at if at is not None else Path(folder) / NAME)
        if at is None and space.root.is_symlink():
            raise links.link(space.root)
        if space.root.is_dir():
            links.refuse(space.root)
        return space

    @classmethod
    def open(cls, folder: Path, at: Path | None = None) -> "Workspace":
        """The workspace of a picture folder: `at`, or `.ursa/` inside it.

        Raises DataError where it cannot write, for a workspace of a newer Ursa, and where links lead out of it.
        """
        space = cls.of(folder, at)
        try:
            space.root.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise cannot_write(space.root, problem) from problem
        schema = space.root / "schema.json"
        if not os.path.lexists(schema):
            write_sealed(schema, json.dumps({"schema": SCHEMA}).encode())
            write_text(space.root / ".gitignore", "*\n")
        found = _schema_of(schema)
        if found > SCHEMA:
            raise DataError(
                f"the workspace {space.root} was written by a newer Ursa",
                found=f"schema {found}; this Ursa knows up to {SCHEMA}",
                fix="update Ursa, or name another place with --workspace DIR",
            )
        if read_sealed(schema) is None:
            write_sealed(schema, json.dumps({"schema": found}).encode())  # from now on known
            return replace(space, elsewhere=True)
        return space

    def clear(self) -> None:
        """Remove all that can be computed again; runs, decisions, splits, looks and downloads stay."""
        for name in DERIVED:
            path = self.root / name
            try:
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
                _seals_of(path).unlink(missing_ok=True)
            except OSError as problem:
                raise cannot_write(path, problem) from problem

    @property
    def catalog(self) -> Path:
        """The catalog of the last scan."""
        return self.root / "catalog.parquet"

    @property
    def report(self) -> Path:
        """The page that `check` writes."""
        return self.root / "report.html"

    @property
    def mistakes(self) -> Path:
        """The mistakes of the last `check`, to be tagged."""
        return self.root / "mistakes.csv"

    @property
    def thumbnails(self) -> Path:
        """The small pictures of its page."""
        return self.root / "thumbnails.safetensors"

    @property
    def backbones(self) -> Path:
        """What is known of the backbones used here, so that a second run need not load them."""
        return self.root / "backbones.json"

    @property
    def last_setup(self) -> Path:
        """How the pictures were read last: backbone, weights, pattern, table."""
        return self.root / "last_setup.json"

    @property
    def splits(self) -> Path:
        """Which pictures were drawn for validation and testing, by seed: they stay there."""
        return self.root / "splits.parquet"

    @property
    def test_set_log(self) -> Path:
        """Who looked at which test pictures."""
        before = self.root / "looks.jsonl"  # what Ursa 0.1 called it
        return before if before.exists() else self.root / "test_set_log.jsonl"

    def embeddings(self, fingerprint: str) -> Path:
        """Folder of the embeddings by one backbone, preparation and precision."""
        return self.root / "embeddings" / fingerprint

    def pixels(self, kind: str) -> Path:
        """Folder of decoded pictures, reduced in one way."""
        return self.root / "pixels" / kind

    def probe(self, key: str) -> Path:
        """A fitted probe, by the hash of all that it depends on."""
        return self.root / "probes" / f"{key}.safetensors"

    def fold_repeats(self, key: str) -> Path:
        """What a probe says of pictures in other divisions into folds, by the key of the probe."""
        return self.root / "fold_repeats" / f"{key}.safetensors"

    @property
    def runs(self) -> Path:
        """Folder of all training runs."""
        return self.root / "runs"

    def run(self, name: str) -> Path:
        """Folder of one training run."""
        return self.runs / name

    def checkpoints(self, run: str) -> Path:
        """Folder of a run's checkpoints, gone once it is finished."""
        return self.run(run) / "checkpoints"


@contextlib.contextmanager
def writing(path: Path, option: str = "--workspace DIR", *, via: Path | None = None) -> Iterator[IO[bytes]]:
    """A file that appears under `path` complete, or not at all. Raises DataError when it cannot be written.

    option: by which the user names another place for it; via: a folder of the same file system to write it in, for
    files that appear among the user's own, where nothing half written shall be left.
    """
    # hidden, so that one that a kill leaves among pictures is not taken for a picture
    part = (via or path.parent) / f".{path.name}.{uuid.uuid4().hex[:8]}.part"
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(part, _NEW, 0o666), "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as problem:
        raise cannot_write(path, problem, option) from problem
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text in one piece."""
    with writing(path) as file:
        file.write(text.encode())


def write_json(path: Path, document: Any) -> None:
    """Write a JSON document in one piece."""
    write_text(path, _json(document))


def read(path: Path, most: int = MOST) -> bytes | None:
    """The bytes of a file, None where there is none. Raises DataError for a link, for what is no file, for a larger
    one, and where it may not be read."""
    try:
        return files.read_bytes(path, most, follow=False)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except DataError as problem:
        raise DataError(problem.what, found=problem.found, fix="remove it, or name --workspace DIR") from problem
    except OSError as problem:
        if path.is_symlink():
            raise links.link(path) from problem
        raise DataError(f"cannot read {path}", found=problem.strerror, fix="check who may read it") from problem


def appended(path: Path, *, lines: bool = True) -> IO[bytes]:
    """A file to append to, begun where there is none; of lines, a torn last one, as a kill leaves it, is ended.

    Raises DataError where it is a link or has a second name, so that what is appended would appear elsewhere.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.fdopen(os.open(path, _APPENDED, 0o666), "a+b")
    except OSError as problem:
        raise (links.link(path) if path.is_symlink() else cannot_write(path, problem)) from problem
    try:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise DataError(f"{path} is not a file", found=files.kind(about.st_mode), fix="remove it")
        if about.st_nlink > 1:
            raise DataError(
                f"{path} has other names too, and would change there as well",
                found=f"{about.st_nlink} hard links",
                fix=f"put a copy in its place: cp {path.name} copy && mv copy {path.name}",
            )
        if lines and about.st_size:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
                file.flush()
    except BaseException as problem:
        file.close()
        if isinstance(problem, OSError):
            raise cannot_write(path, problem) from problem
        raise
    return file


def write_sealed(path: Path, data: bytes | memoryview, name: str | None = None) -> None:
    """Write a file that `read_sealed` believes, in one piece. name: under which it is sealed, its own if not given."""
    with sealing(path, seals.seal(name or path.name, data)) as file:
        file.write(data)


@contextlib.contextmanager
def sealing(path: Path, seal: str) -> Iterator[IO[bytes]]:
    """As `writing`, for a file whose seal is known; that is there before the file is, and beside the old one's."""
    with writing(path) as file:
        yield file
        known = [line for line in _known_seals(path) if line != seal]
        write_text(_seals_of(path), "\n".join([*known[1 - SEALS :], seal, ""]))


def read_sealed(path: Path, name: str | None = None) -> bytes | None:
    """The bytes of a file that this user's Ursa wrote; None for any other, for a damaged one, and where there is none.

    Whoever asks computes it again, so why it is of no use does not matter.
    """
    try:
        data = files.read_bytes(path, MOST, follow=False)
    except (OSError, DataError):
        return None
    return data if sealed(path, data, name) else None


def sealed(path: Path, content: bytes | mmap.mmap, name: str | None = None) -> bool:
    """Whether this is what this user's Ursa wrote there."""
    return seals.seal(name or path.name, content) in _known_seals(path)


def remember(path: Path, key: str, make: Callable[[], Any], known_by: Callable[[Any], bool] | None = None) -> Any:
    """The value under `key` of a JSON file, made and added when it is not there. A broken file, or one that another
    user wrote, counts as empty; so does a value that is not `known_by` the one who asks."""
    known = _remembered(path)
    if key not in known or (known_by is not None and not known_by(known[key])):
        value = make()
        known = {**_remembered(path), key: value}  # read again: another process may have added to it meanwhile
        write_sealed(path, _json(known).encode())
    return known[key]


def object_of(data: bytes | None) -> dict[str, Any]:
    """The JSON object in these bytes; an empty one where they are anything else."""
    try:
        document = json.loads(data or b"")
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _flags(*names: str) -> int:
    return sum(getattr(os, name, 0) for name in names)  # those that this system has


_NEW = _flags("O_WRONLY", "O_CREAT", "O_EXCL", "O_NOFOLLOW", "O_BINARY")
_APPENDED = _flags("O_RDWR", "O_APPEND", "O_CREAT", "O_NOFOLLOW", "O_NONBLOCK", "O_NOCTTY", "O_BINARY")


def _seals_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.seal")


def _known_seals(path: Path) -> list[str]:
    try:
        return files.read_bytes(_seals_of(path), 4096, follow=False).decode("ascii", "replace").split()
    except (OSError, DataError):
        return []


def _remembered(path: Path) -> dict[str, Any]:
    return object_of(read_sealed(path))


def _json(document: Any) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _schema_of(path: Path) -> int:
    schema = object_of(read(path, 1 << 16)).get("schema")
    if not isinstance(schema, int):
        raise DataError(
            f"the workspace {path.parent} is damaged",
            found=f"{path.name} does not say which schema it has",
            fix=f"delete {path}: what can be computed again will be",
        )
    return schema


def cannot_write(path: Path, problem: OSError, option: str = "--workspace DIR") -> DataError:
    """The error for a file that cannot be written. option: by which the user names another place for it."""
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return DataError(
            f"no space left while writing {path}",
            found=problem.strerror,
            fix=f"free some space, or name another disk with {option}; what was finished is kept",
        )
    if problem.errno in (errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY):
        return DataError(
            f"cannot write {path}", found=problem.strerror, fix=f"move away what is in its place, or name {option}"
        )
    return DataError(
        f"cannot write {path}", found=problem.strerror, fix=f"name a folder that you may write to: {option}"
    )
