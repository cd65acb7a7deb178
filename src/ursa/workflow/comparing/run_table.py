"""`ursa runs`: a workspace -> all training runs so far, what differed between them, and how they did."""

import datetime
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ursa.errors import DataError, did_you_mean
from ursa.prepared.last_setup import workspace_of
from ursa.workflow import runs as begun_runs
from ursa.workflow.results.short_repr import ShortRepr
from ursa.workflow.training_run.run_result import RunResult
from ursa.workspace import Workspace

FINISHED, TRAINING, UNFINISHED = "finished", "training", "unfinished"
STOPPED, FOREIGN, OLD = "stopped", "begun elsewhere", "earlier Ursa"

STATES = {  # what each means
    FINISHED: "its figures are known",
    TRAINING: "another process trains it now",
    UNFINISHED: "it can be resumed: ursa train FOLDER --resume --run NAME",
    STOPPED: "it ended before its first checkpoint: nothing of it is left",
    FOREIGN: "another user's Ursa wrote it: its figures are not believed",
    OLD: "it finished, and its figures are in report.html in its folder alone",
}


@dataclass(frozen=True)
class RunRow:
    """A run in the table."""

    name: str
    number: int  # 1 for the first one here; 0 where an early Ursa gave none
    status: str  # one of STATES
    settings: Mapping[str, Any]  # by whole names, with backbone, precision and pictures learned from; {}: not known
    result: RunResult | None  # of a finished one

    @property
    def begun(self) -> datetime.datetime | None:
        """When it began, in UTC: its name says so."""
        try:
            return datetime.datetime.strptime(self.name[:15], "%Y%m%d-%H%M%S").replace(tzinfo=datetime.UTC)
        except ValueError:
            return None

    def to_json(self) -> dict[str, Any]:
        """Its row of the document; what is not known is null."""
        found = {} if self.result is None else self.result.to_json()
        keys = ("kept", "part", "accuracy", "probe", "pictures", "seconds", "verdict", "bundle", "ended")
        begun = None if self.begun is None else self.begun.isoformat()
        about = {"run": self.name, "number": self.number, "status": self.status, "begun": begun}
        return {**about, "settings": dict(self.settings), **{key: found.get(key) for key in keys}}


@dataclass(frozen=True, repr=False)
class RunTable(ShortRepr):
    """All runs of a workspace, in the order in which they were begun."""

    rows: tuple[RunRow, ...]
    folder: Path  # that holds a folder for each
    differing: tuple[str, ...]  # settings that are not the same in all runs whose settings are known

    def _shown(self) -> list[tuple[str, str]]:
        found = []
        for row in self.rows:
            did = row.status if row.result is None else f"{row.result.kept} {row.result.accuracy}"
            settings = [f"{name} {row.settings[name]}" for name in self.differing if name in row.settings]
            found.append((str(row.number or row.name), ", ".join([did, *settings])))
        return found

    def to_json(self) -> dict[str, Any]:
        """The document of `ursa runs --json`."""
        rows = [row.to_json() for row in self.rows]
        return {"runs": rows, "differing": list(self.differing), "folder": str(self.folder)}

    def named(self, name: str | int) -> RunRow:
        """A run by its name or its number. Raises DataError for one that is not there."""
        wanted = str(name).strip().lstrip("#")
        for row in self.rows:
            if wanted == row.name or (row.number and wanted == str(row.number)):
                return row
        if not self.rows:
            fix = "name the folder of pictures that it learned from: ursa compare 1 2 FOLDER"
            raise DataError(f"there is no run {wanted!r}", found=f"no run at all in {self.folder}", fix=fix)
        known = [f"{row.number} ({row.name})" if row.number else row.name for row in self.rows[-8:]]
        fix = did_you_mean(wanted, [row.name for row in self.rows]) if len(wanted) > 4 else "ursa runs FOLDER lists all"
        raise DataError(f"there is no run {wanted!r}", found=f"runs: {', '.join(known)}", fix=fix)


def runs(data: str | Path = ".", *, workspace: str | Path | None = None) -> RunTable:
    """All training runs on these pictures, unfinished ones too: what differed, and how each did.

    data: the folder of pictures, or the table, that they learned from; workspace: as of `ursa.train`. Nothing is
    written. The settings that count as different are those of the runs that this Ursa finished or began. Raises
    DataError where there is no such folder.
    """
    place = Path(data)
    if workspace is None and not place.exists():
        raise DataError(f"there is no folder {place}", fix="name the folder of pictures that the runs learned from")
    if place.suffix == ".ursa" and place.is_file():
        fix = "name the folder of pictures that the runs learned from"
        raise DataError("runs lie beside the pictures that they learned from", found=f"{place}, a bundle", fix=fix)
    return table_of(workspace_of(place, None if workspace is None else Path(workspace)))


def table_of(space: Workspace) -> RunTable:
    """The runs of a workspace, there or not."""
    rows = tuple(_row(space, run) for run in begun_runs.known(space))
    return RunTable(rows, space.runs, differing([row.settings for row in rows if row.settings]))


def differing(settings: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """The names whose values are not the same in all of these, in the order in which they are first met."""
    names = dict.fromkeys(name for some in settings for name in some)
    missing = object()
    return tuple(
        name for name in names if any(some.get(name, missing) != settings[0].get(name, missing) for some in settings)
    )


def _row(space: Workspace, run: begun_runs.Run) -> RunRow:
    result = RunResult.read(space, run.name)
    if result is not None:
        learned = {"pictures": result.pictures.get("train")}
        return RunRow(run.name, run.number, FINISHED, {**result.settings, **learned}, result)
    settings = {} if run.recipe is None else {"backbone": run.backbone, "precision": run.precision, **run.recipe}
    return RunRow(run.name, run.number, _status(space, run), settings, None)


def _status(space: Workspace, run: begun_runs.Run) -> str:
    """Of a run without figures of ours. A lock is looked at, never made: listing writes nothing."""
    lock, folder = space.run(run.name) / "lock", space.run(run.name)
    if lock.is_file() and os.access(lock, os.W_OK) and begun_runs.in_use(space, run):
        return TRAINING
    if any(space.checkpoints(run.name).glob("step-*.safetensors")):
        return UNFINISHED
    if not run.ours or (folder / "result.json").exists():
        return FOREIGN
    return OLD if (folder / "history.json").exists() else STOPPED
