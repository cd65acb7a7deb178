"""A folder of checkpoints: when one is written, which are kept, which is gone on from."""

import contextlib
import json
import re
import time
from pathlib import Path

from ursa.errors import DataError, TrainingError
from ursa.recipe import Recipe
from ursa.training.checkpoints import checkpoint
from ursa.training.checkpoints.checkpoint import Checkpoint
from ursa.training.history import Best, History
from ursa.training.loop import State

NAME = re.compile(r"step-\d{9}-best-\d{5}\.safetensors")
SHARE = 0.05  # of the time that saving at the ends of epochs may take; what is due by the clock is always saved


class Checkpoints:
    """The checkpoints of one run, `step-S-best-E.safetensors`, and the weights of its best epochs, `best-E`."""

    def __init__(
        self, folder: Path, *, every_seconds: float = 60.0, every_steps: int = 0, keep: int = 2, data: str = ""
    ) -> None:
        """every_steps: where given, instead of by the clock. keep: newest ones, at least 1; with two, a damaged one
        costs little. data: says which data these are, such as a hash; a run is not gone on with on others.
        """
        if keep < 1 or every_steps < 0 or not every_seconds > 0:
            raise TrainingError(
                "checkpoints are kept and written at least sometimes",
                found=f"keep={keep}, every_steps={every_steps}, every_seconds={every_seconds}",
                fix="keep=1 or more, every_steps=1 or more, or every_seconds above 0",
            )
        self.folder, self.data = Path(folder), data
        self.every_seconds, self.every_steps, self.keep = every_seconds, every_steps, keep
        self._saved, self._cost = time.monotonic(), 0.0  # when, and the seconds that it took
        self._best: int | None = None  # epoch whose weights are on disk

    def due(self, step: int, *, ends_epoch: bool = False) -> bool:
        """Whether it is time to save: by steps or by the clock, or cheaply at the end of an epoch."""
        since = time.monotonic() - self._saved
        by_count = step % self.every_steps == 0 if self.every_steps else since >= self.every_seconds
        return by_count or (ends_epoch and self._cost <= SHARE * since)

    def save(self, state: State, recipe: Recipe, history: History, best: Best, seconds: float = 0.0) -> Path:
        """Write the state and, where they changed, the best weights; then remove what is not kept any more.

        history: read to its last step. Raises DataError when it cannot be written; earlier ones are whole then.
        """
        began = time.monotonic()
        weights = self._best_of(best.epoch)
        path = self.folder / f"step-{state.step:09}-{weights.name}"
        if self._best != best.epoch or not weights.exists():
            checkpoint.save_weights(weights, best.weights)
            self._best = best.epoch
        checkpoint.save(path, state, recipe, history, best, self.data, seconds)
        self._tidy()
        self._saved = time.monotonic()
        self._cost = self._saved - began
        return path

    def last(self) -> Checkpoint | None:
        """The newest one that is whole; None where there is none at all. Raises DataError where all are damaged."""
        found = self._newest()
        return None if found is None else found[0]

    def best(self) -> Best | None:
        """The best epoch by the newest whole checkpoint, with its weights."""
        found = self._newest()
        return None if found is None else found[1]

    def resume(self, state: State, recipe: Recipe) -> tuple[Checkpoint, Best]:
        """Bring the state to where the newest whole checkpoint has it.

        What is newer, and damaged, is removed. Raises TrainingError where data, recipe, model or optimiser are others,
        DataError where nothing can be read.
        """
        found = self._newest()
        if found is None:
            raise DataError(f"there is no checkpoint in {self.folder}", fix="begin a new run")
        saved, best = found
        if saved.data != self.data:
            raise TrainingError(
                "these are other data than those of the run",
                found=f"{saved.data or 'nothing said'}; now {self.data or 'nothing said'}",
                fix="go on with the same data, or begin a new run",
            )
        _check_recipe(saved, recipe)
        saved.restore(state)
        for path in self._steps():
            if _step(path) > saved.step:
                path.unlink(missing_ok=True)
        self._best, self._saved = best.epoch, time.monotonic()
        return saved, best

    def exist(self) -> bool:
        """Whether there is any, whole or not."""
        return bool(self._steps())

    def clear(self) -> None:
        """Remove them all: the run is over."""
        for path in [*self._steps(), *self.folder.glob("best-*.safetensors"), *self.folder.glob("*.part")]:
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # not empty: something else lies there, which stays
            self.folder.rmdir()

    def _newest(self) -> tuple[Checkpoint, Best] | None:
        """Newest first, so that a damaged one falls back to the one before."""
        damage: DataError | None = None
        for path in reversed(self._steps()):
            try:
                saved = checkpoint.load(path)
                epoch, record = saved.best
                return saved, Best(epoch, record, checkpoint.load_weights(self._best_of(epoch)))
            except DataError as problem:
                damage = damage or problem
        if damage is not None:
            raise DataError(
                f"no checkpoint in {self.folder} can be read", found=damage.found, fix="begin a new run"
            ) from damage
        return None

    def _tidy(self) -> None:
        """Only what the newest need stays; what a kill left half written goes too."""
        steps = self._steps()
        for path in [*steps[: -self.keep], *self.folder.glob("*.part")]:
            path.unlink(missing_ok=True)
        needed = {path.name.partition("-best-")[2] for path in steps[-self.keep :]}
        for path in self.folder.glob("best-*.safetensors"):
            if path.name.removeprefix("best-") not in needed:
                path.unlink(missing_ok=True)

    def _steps(self) -> list[Path]:
        return sorted(path for path in self.folder.glob("step-*.safetensors") if NAME.fullmatch(path.name))

    def _best_of(self, epoch: int) -> Path:
        return self.folder / f"best-{epoch:05}.safetensors"


def _check_recipe(saved: Checkpoint, recipe: Recipe) -> None:
    now = json.loads(json.dumps(recipe.flat()))
    before = {**json.loads(json.dumps(Recipe().flat())), **saved.recipe}  # a setting that is newer had its default
    differ = [f"{name} {before[name]}, now {now.get(name)}" for name in before if before[name] != now.get(name)]
    if differ:
        raise TrainingError(
            "the run was begun with another recipe",
            found="; ".join(differ[:3]) + (f" and {len(differ) - 3} more" if len(differ) > 3 else ""),
            fix="give the settings that it was begun with, or begin a new run",
        )


def _step(path: Path) -> int:
    return int(path.name.split("-")[1])
