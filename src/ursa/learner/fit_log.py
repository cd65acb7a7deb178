"""What all fits of a learner came to: one history that counts on, and which fit the next one is."""

import copy
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor, nn

from ursa.learner.fit_arguments import FitArguments
from ursa.recipe import Recipe
from ursa.training.checkpoints.checkpoint_folder import Checkpoints
from ursa.training.history import Best, History

KEPT_BYTES = 64 << 20  # of initial weights, at most, that are kept so that the first fit can be made again


@dataclass
class FitLog:
    """The history of all fits so far."""

    history: History = field(default_factory=History)
    fits: int = 0  # how many there were: each draws other orders
    kept: int = 0  # epoch of the history whose weights the network has
    before: tuple[Path, History, int, int] | None = None  # folder of checkpoints, and what was before the fit with it

    first: tuple[FitArguments, Recipe, dict[str, Tensor]] | None = None  # what the first fit was asked, and began with

    def begin(self, wanted: FitArguments, recipe: Recipe, model: nn.Module) -> None:
        """Before a fit: what the first one is asked, and a copy of its initial weights, where they are few."""
        weights = model.state_dict()
        size = sum(tensor.numel() * tensor.element_size() for tensor in weights.values())
        if not self.fits and self.first is None and size <= KEPT_BYTES:
            self.first = wanted, recipe, copy.deepcopy(weights)

    def resume(self, checkpoints: Checkpoints | None) -> None:
        """Forget the fit that this one resumes: the checkpoints hold its history."""
        if self.before is not None and checkpoints is not None and self.before[0] == checkpoints.folder:
            _, self.history, self.fits, self.kept = self.before

    def add(self, now: History, best: Best | None, checkpoints: Checkpoints | None) -> None:
        """Append a fit's history: steps and epochs count on, and its epoch 0 is the one before it.

        best: what the network was left with; None where an error ended the fit, which then kept its best weights too. A
        fit that was refused before it began does not count.
        """
        if not now.epochs:
            return
        before = History([*self.history.steps], [*self.history.epochs], self.history.stopped)
        if checkpoints is not None:
            self.before = checkpoints.folder, before, self.fits, self.kept
        self.fits += 1
        steps, epochs = len(before.steps), int(before.epochs[-1]["epoch"]) if before.epochs else 0
        self.history.steps += [{**s, "step": s["step"] + steps, "epoch": s["epoch"] + epochs} for s in now.steps]
        records = now.epochs[1:] if before.epochs else now.epochs
        self.history.epochs += [{**record, "epoch": record["epoch"] + epochs} for record in records]
        self.history.stopped = now.stopped
        if best is not None and (best.epoch or not before.epochs):
            self.kept = epochs + best.epoch

    def kept_text(self) -> str:
        """Which epoch was kept, where it is not the last one; else nothing."""
        last = int(self.history.epochs[-1]["epoch"]) if self.history.epochs else 0
        if self.kept == last:
            return ""
        where = f"epoch {self.kept}" if self.kept else "before the first epoch, as none was better"
        return f"kept: the weights from {where} (of {last})"
