"""The .ursa/ folder beside the pictures: where things lie, which schema, how they are written.

Every file is written whole under another name, flushed, and renamed into place, so that a kill or a full disk leaves
either the old file or the new one. Nothing outside the workspace is ever written.
"""

import contextlib
import errno
import json
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ursa.errors import DataError

NAME = ".ursa"
SCHEMA = 1


@dataclass(frozen=True)
class Workspace:
    """The paths of one workspace. `Workspace.open` makes it ready for writing."""

    root: Path

    @classmethod
    def open(cls, folder: Path, at: Path | None = None) -> "Workspace":
        """The workspace of a picture folder: `at`, or `.ursa/` inside it. Raises DataError where it cannot write."""
        space = cls(at if at is not None else folder / NAME)
        try:
            space.root.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise _cannot_write(space.root, problem) from problem
        schema = space.root / "schema.json"
        if not schema.exists():
            write_text(schema, json.dumps({"schema": SCHEMA}))
            write_text(space.root / ".gitignore", "*\n")
        found = _schema_of(schema)
        if found > SCHEMA:
            raise DataError(
                f"the workspace {space.root} was written by a newer Ursa",
                found=f"schema {found}; this Ursa knows up to {SCHEMA}",
                fix="update Ursa, or name another place with --workspace DIR",
            )
        return space

    @property
    def catalog(self) -> Path:
        """The catalog of the last scan."""
        return self.root / "catalog.parquet"

    @property
    def report(self) -> Path:
        """The page that `check` writes."""
        return self.root / "report.html"

    @property
    def backbones(self) -> Path:
        """What is known of the backbones used here, so that a second run need not load them."""
        return self.root / "backbones.json"

    @property
    def precisions(self) -> Path:
        """Which precision was the faster one, by backbone and machine."""
        return self.root / "precision.json"

    @property
    def splits(self) -> Path:
        """Which pictures were drawn for validation and testing, by seed: they stay there."""
        return self.root / "splits.parquet"

    @property
    def looks(self) -> Path:
        """Who looked at which test pictures."""
        return self.root / "looks.jsonl"

    def embeddings(self, fingerprint: str) -> Path:
        """Folder of the embeddings by one backbone, preparation and precision."""
        return self.root / "embeddings" / fingerprint

    def pixels(self, kind: str) -> Path:
        """Folder of decoded pictures, reduced in one way."""
        return self.root / "pixels" / kind

    def probe(self, key: str) -> Path:
        """A fitted probe, by the hash of all that it depends on."""
        return self.root / "probes" / f"{key}.safetensors"

    @property
    def runs(self) -> Path:
        """Folder of all training runs; by name they are in order of time."""
        return self.root / "runs"

    def run(self, name: str) -> Path:
        """Folder of one training run."""
        return self.runs / name

    def checkpoints(self, run: str) -> Path:
        """Folder of a run's checkpoints, gone once it is finished."""
        return self.run(run) / "checkpoints"


@contextlib.contextmanager
def writing(path: Path) -> Iterator[IO[bytes]]:
    """A file that appears under `path` complete, or not at all. Raises DataError when it cannot be written."""
    part = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as problem:
        raise _cannot_write(path, problem) from problem
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text in one piece."""
    with writing(path) as file:
        file.write(text.encode())


def write_json(path: Path, document: Any) -> None:
    """Write a JSON document in one piece."""
    write_text(path, json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def remember(path: Path, key: str, make: Callable[[], Any]) -> Any:
    """The value under `key` of a JSON file, made and added when it is not there. A broken file counts as empty."""
    known = _read_object(path)
    if key not in known:
        value = make()
        known = {**_read_object(path), key: value}  # read again: another process may have added to it meanwhile
        write_json(path, known)
    return known[key]


def _read_object(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _schema_of(path: Path) -> int:
    schema = _read_object(path).get("schema")
    if not isinstance(schema, int):
        raise DataError(
            f"the workspace {path.parent} is damaged",
            found=f"{path.name} does not say which schema it has",
            fix=f"delete {path.parent}: it holds only what Ursa can compute again",
        )
    return schema


def _cannot_write(path: Path, problem: OSError) -> DataError:
    if problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return DataError(
            f"no space left while writing {path}",
            found=problem.strerror,
            fix="free some space, or name another disk with --workspace DIR; what was finished is kept",
        )
    return DataError(
        f"cannot write {path}", found=problem.strerror, fix="name a folder that you may write to: --workspace DIR"
    )
