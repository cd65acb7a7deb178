"""Training runs in the workspace: a name for a new one, or an unfinished one to resume; its checkpoints.

Runs are ordered by a number that each of them is given when it begins, one more than the largest so far; a clock that
was set back changes nothing. `run.json` holds it, and what a resumed run has to have in common with its beginning.
"""

import contextlib
import datetime
import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ursa import workspace
from ursa.core.labels import Labels
from ursa.core.progress_display import ProgressDisplay
from ursa.core.text import escaped
from ursa.data.catalog import Catalog
from ursa.errors import DataError, TrainingError, did_you_mean
from ursa.file_lock import file_lock, is_locked
from ursa.prepared.setup import Prepared, Setup, note
from ursa.recipe import Recipe
from ursa.workspace import Workspace

if TYPE_CHECKING:
    from ursa.training.checkpoints.checkpoint_folder import Checkpoints
    from ursa.training.fit import Observer

LARGEST = 1 << 53  # of a run's number: no run has it


@dataclass(frozen=True)
class Run:
    """A training run."""

    name: str
    number: int = 0  # larger than that of any run begun before
    precision: str | None = None  # in which its embeddings were computed; None where nothing was written down
    ours: bool = field(default=True, compare=False)  # whether this user's Ursa began it
    # As it was begun; known of our own runs alone.
    recipe: Mapping[str, Any] | None = field(default=None, compare=False)  # settings by whole names
    backbone: str | None = field(default=None, compare=False)
    weights: Path | None = field(default=None, compare=False)
    out: Path | None = field(default=None, compare=False)  # the bundle to be


def to_resume(space: Workspace, resume: bool | str, *, timed: bool) -> Run | None:
    """The run to resume, if one is; whose weights come from elsewhere is said."""
    if resume is False:
        return None
    found = resumed(space, resume if isinstance(resume, str) else None, timed=timed)
    if not found.ours:
        note(
            f"The run {escaped(found.name)} was begun elsewhere, or by an earlier Ursa: its weights are taken as they "
            "are, and may have learned from pictures that judge them here."
        )
    return found


def as_begun(run: Run, setup: Setup, recipe: Recipe, usual: Recipe) -> tuple[Setup, Recipe]:
    """Setup and recipe of a run that is resumed: those that it was begun with, but for what is asked for now.

    usual: what a recipe with nothing asked for is. What differs and must not is refused by its checkpoints. Raises
    TrainingError where fewer epochs are asked for.
    """
    if run.precision is not None and setup.precision == "auto":
        setup = replace(setup, precision=run.precision)
    if run.backbone is not None and not setup.named:
        setup = replace(setup, backbone=run.backbone, weights=run.weights)
    if run.recipe is None:
        return setup, recipe
    begun_with = Recipe().with_settings(run.recipe)
    whole = begun_with.with_settings(recipe.changed(usual))
    if whole.optim.epochs < begun_with.optim.epochs:
        found = f"epochs {begun_with.optim.epochs}, now {whole.optim.epochs}"
        fix = "leave epochs out, or begin a new run"
        raise TrainingError("a run is resumed with the epochs that it was begun with, or more", found=found, fix=fix)
    return setup, whole


def in_hand(
    ready: Prepared, before: Run | None, setup: Setup, recipe: Recipe, out: Path
) -> contextlib.AbstractContextManager[Run]:
    """The run, a new one or one that is resumed, trained by this process alone."""
    if before is not None:
        return held(ready.space, before)
    weights = None if setup.weights is None else setup.weights.absolute()
    about = {"recipe": recipe.flat(), "backbone": setup.backbone, "weights": weights, "out": out.absolute()}
    return begun(ready.space, ready.engine.precision, **about)


@contextlib.contextmanager
def begun(space: Workspace, precision: str, **about: Any) -> Iterator[Run]:
    """A new run with a folder of its own, whoever begins one at the same moment; nobody else can train it here.

    about: the other fields of a Run, as it is begun. Raises DataError where it cannot be written.
    """
    number = 1 + max((run.number for run in known(space)), default=0)
    now = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S")
    names = itertools.chain([now], (f"{now}-{count}" for count in itertools.count(2)))
    try:
        space.runs.mkdir(parents=True, exist_ok=True)
        name = next(name for name in names if _claimed(space, name))
    except OSError as problem:
        raise workspace.cannot_write(space.runs, problem) from problem
    run = Run(name, number, precision, **about)
    document = {"number": number, "precision": precision, **about}
    with held(space, run):
        text = json.dumps(document, default=str)
        workspace.write_sealed(space.run(name) / "run.json", text.encode(), f"{name}/run.json")
        yield run


def resumed(space: Workspace, name: str | None, *, timed: bool) -> Run:
    """The unfinished run of this name, or the one that was begun last of those that nobody is training now.

    timed: with a limit of time, which a resumed run cannot keep. Raises DataError where there is nothing to resume, or
    none of that name.
    """
    if timed:
        raise TrainingError("a run with a limit of time cannot be resumed", fix="leave out --minutes, or --resume")
    found = unfinished(space)
    if not found:
        raise DataError(
            "there is no unfinished run to resume",
            found=f"no checkpoints in {space.runs}",
            fix="leave out --resume to begin a new one",
        )
    newest_free = next((run for run in reversed(found) if not in_use(space, run)), found[-1])
    wanted = newest_free if name is None else next((run for run in found if run.name == name), None)
    if wanted is not None:
        with held(space, wanted):  # said now, not after the pictures were looked at
            return wanted
    listed = ", ".join(run.name for run in reversed(found[-12:]))
    raise DataError(
        f"there is no unfinished run {name!r}",
        found=f"unfinished, the newest first: {listed}",
        fix=did_you_mean(str(name), [run.name for run in found]),
    )


def known(space: Workspace) -> list[Run]:
    """All runs, in the order in which they were begun."""
    names = [path.name for path in space.runs.glob("*") if path.is_dir()]
    return sorted((_read(space, name) for name in names), key=lambda run: (run.number, run.name))


def unfinished(space: Workspace) -> list[Run]:
    """The runs that have checkpoints, in the order in which they were begun."""
    return [run for run in known(space) if any(space.checkpoints(run.name).glob("step-*.safetensors"))]


def free(space: Workspace) -> list[Run]:
    """Those of them that nobody is training now."""
    return [run for run in unfinished(space) if not in_use(space, run)]


@contextlib.contextmanager
def held(space: Workspace, run: Run) -> Iterator[Run]:
    """The run is trained by this process alone. Raises TrainingError where another one does already."""
    with file_lock(_lock(space, run), wait=False, refusal=lambda: _in_training(space, run)):
        yield run


def _in_training(space: Workspace, run: Run) -> TrainingError:
    others = [other.name for other in unfinished(space) if other.name != run.name and not in_use(space, other)]
    return TrainingError(
        f"another process is training the run {run.name}",
        found=f"unfinished beside it: {', '.join(others)}" if others else "no other unfinished run",
        fix="wait for it or stop it, name another one with --run NAME, or begin a new one",
    )


def checkpoints(name: str, ready: Prepared, learn: Catalog, valid: Catalog, labels: Labels) -> "Checkpoints":
    """The checkpoints of a run, bound to its pictures, their classes and parts, and to the backbone."""
    from ursa.training.checkpoints.checkpoint_folder import Checkpoints

    backbone = f"{ready.engine.backbone.name} ({ready.embeddings.fingerprint[:8]})"
    parts = f"{_said(learn, labels)} to learn from, {_said(valid, labels)} to validate"
    return Checkpoints(ready.space.checkpoints(name), data=f"{backbone}, {parts}")


def _said(part: Catalog, labels: Labels) -> str:
    """How many pictures, and a hash of them in their order with their classes."""
    digest = hashlib.sha256("\n".join(labels.names).encode())
    for picture, target in zip(part.rows["sha256"], part.targets(labels).tolist(), strict=True):
        digest.update(f"{picture} {target}\n".encode())
    return f"{len(part)} pictures ({digest.hexdigest()[:8]})"


def _claimed(space: Workspace, name: str) -> bool:
    """Whether this process was the one that made the run's folder."""
    try:
        space.run(name).mkdir()
    except FileExistsError:
        return False
    return True


def _read(space: Workspace, name: str) -> Run:
    """What is known of a run; a file that is damaged, or none, says nothing."""
    path = space.run(name) / "run.json"
    about = workspace.object_of(workspace.read(path, 1 << 16) if not path.is_dir() else None)
    number, precision = about.get("number"), about.get("precision")
    sealed = workspace.read_sealed(path, f"{name}/run.json")
    return Run(
        name,
        number if type(number) is int and 0 < number < LARGEST else 0,
        precision if precision in ("fp32", "bf16") else None,
        sealed is not None,
        **_as_begun(workspace.object_of(sealed)),
    )


def _as_begun(about: Mapping[str, Any]) -> dict[str, Any]:
    """What our own file says of a run's beginning; an earlier Ursa wrote down less."""
    text = {name: about[name] for name in ("backbone", "weights", "out") if isinstance(about.get(name), str)}
    found: dict[str, Any] = {"recipe": about["recipe"]} if isinstance(about.get("recipe"), dict) else {}
    if "backbone" in text:
        found["backbone"] = text["backbone"]
    return found | {name: Path(text[name]) for name in ("weights", "out") if name in text}


def in_use(space: Workspace, run: Run) -> bool:
    """Whether another process trains it now."""
    return is_locked(_lock(space, run))


def _lock(space: Workspace, run: Run) -> Path:
    return space.run(run.name) / "lock"


def known_loggers(track: Sequence[str]) -> None:
    """Loggers are looked for now, not after an hour of training. Raises TrainingError where there is none."""
    if track:
        from ursa.training.loggers import known as require

        for wanted in track:
            require(wanted)


def observers(
    track: Sequence[str], folder: Path, ready: Prepared, recipe: Recipe, bar: ProgressDisplay
) -> "list[Observer]":
    """Those of a run: loggers, and the table of its epochs where somebody watches."""
    from ursa.learner.progress_table import ProgressTable
    from ursa.training.loggers import create

    table = ProgressTable(bar).observers
    return [*(create(wanted, folder, ready.space.root, recipe.flat()) for wanted in track), *table]
