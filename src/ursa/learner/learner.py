"""Learner: data and a network -> a trained network, by plain calls to what lies below it (`training`, `models`).

>>> learner = ursa.Learner((x, y), ursa.models.mlp(64, 10))
>>> learner.fit_one_cycle(5)
>>> learner.evaluate()["accuracy"], learner.predict(x[:3]).labels
"""

import html
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Never, Unpack, cast

from torch import nn

from ursa import models
from ursa.core import seeds
from ursa.core.finding import Finding
from ursa.errors import TrainingError
from ursa.learner import learner_file, one_fit, results
from ursa.learner.diagnosis import learner_verdict
from ursa.learner.fastai_names import no_attribute, refuse_unknown
from ursa.learner.fit_arguments import FitArguments, FitKeywords, Lr, Observers, fit_arguments, whole_number
from ursa.learner.fit_log import FitLog
from ursa.learner.from_probe import check_from_probe, fine_tune_from_probe, starts_as_probe
from ursa.learner.learner_recipe import Optimizer
from ursa.learner.progress_table import ProgressTable
from ursa.learner.progress_table import table as progress_table
from ursa.learner.start import Start, Wanted, of_file, started
from ursa.learner.trained_network import TrainedNetwork
from ursa.recipe import Recipe
from ursa.training.checkpoints.checkpoint_folder import Checkpoints
from ursa.training.history import Best, History
from ursa.training.lr_finder.range_test import find
from ursa.training.lr_finder.suggestion import Suggestion
from ursa.training.optim import layer_lrs, schedules
from ursa.training.optim.schedules import Schedule
from ursa.training.tasks.losses import Loss

if TYPE_CHECKING:
    from ursa.plots.figure import Figure


class Learner(TrainedNetwork):
    """A network, its data, and what happened to it.

    `model`, `data` (splits `train` and `valid`), `recipe`, `loss`, `metrics`; `history` of all fits; `kept`, the epoch
    whose weights the network has; `verdict` of fine-tuning from a probe; `findings` about the splits. What it predicts
    and how it is judged: `TrainedNetwork`.
    """

    def __init__(
        self,
        data: Any,
        model: "str | nn.Module | Callable[..., Any] | None" = None,
        *,
        loss: str | Loss | None = None,
        optimizer: Optimizer = "adamw",
        metrics: Sequence[Any] | None = None,
        recipe: Recipe | Mapping[str, Any] | None = None,
        seed: int | None = None,
        names: Sequence[str] | None = None,
        standardize: bool | None = None,
        workers: int | None = None,
        size: int | None = None,
        weights: str | Path | None = None,
        workspace: str | Path | None = None,
        pattern: str | None = None,
        table: Mapping[str, str] | None = None,
        fresh: bool | None = None,
        device: str = "cpu",
        precision: str = "fp32",
        channels_last: bool | None = None,
        compile: bool = False,
        progress: bool | None = None,
        **unknown: Never,
    ) -> None:
        """Everything that does not fit together is told here, before the first step (DataError, TrainingError).

        data: arrays (x, y) or ((x, y), (x_valid, y_valid)), torch data sets, or a picture folder, table or catalog.
        model: a network; for pictures also a backbone's name, by default "convnext_nano.in12k_ft_in1k". loss,
        optimizer, metrics: a name or a function each; a loss of your own gets targets in their own units. recipe: a
        whole one, or what differs from the usual one, as in {"batch_size": 128}; seed: its seed.
        For arrays and data sets: names of the classes; standardize: floats, and targets of a regression (True);
        workers: processes that read the items of a data set. For pictures: size in pixels for a custom network (224);
        weights of the backbone, workspace, pattern, table, fresh: as of `ursa.check`.
        device: "cpu", "cuda", "mps", or "auto" for the fastest there is. precision: "fp32", "bf16", "fp16".
        channels_last: how pictures lie in memory, None: as is usually faster. compile: by torch.compile. progress: True
        shows a table anywhere, False nowhere, None where a person looks.
        """
        refuse_unknown("Learner", unknown, Learner.__init__.__annotations__)
        wanted = Wanted(loss, optimizer, metrics, recipe, seed, device, precision)
        reading = {"names": names, "standardize": standardize, "workers": workers}
        of_pictures = {"size": size, "weights": weights, "workspace": workspace, "pattern": pattern, "table": table}
        self._begin(started(data, model, wanted, reading, {**of_pictures, "fresh": fresh}), channels_last, progress)
        if compile:
            self.model.compile()

    @classmethod
    def from_file(cls, path: str | Path, data: Any = None, *, progress: bool | None = None, **given: Any) -> "Learner":
        """What `save` wrote; see `ursa.load`, which takes the same arguments."""
        learner = cls.__new__(cls)
        start, saved = of_file(Path(path), data, **given)
        learner._begin(start, None, progress)
        learner._log = FitLog(History(epochs=saved.epochs), saved.fits, saved.kept)
        return learner

    def _begin(self, start: Start, channels_last: bool | None, progress: bool | None) -> None:
        super().__init__(one_fit.in_fastest_memory_format(start.setup, channels_last), start.recipe, start.backbone)
        self._given, self._progress, self._log = start.wanted, progress, FitLog()
        self.findings, self.verdict = start.findings, cast(Finding | None, None)

    @property
    def history(self) -> History:
        """Steps and epochs of all fits so far."""
        return self._log.history

    @property
    def kept(self) -> int:
        """The epoch of the history whose weights the network has; 0: the start."""
        return self._log.kept

    def fit(
        self,
        epochs: int,
        lr: Lr = None,
        schedule: str | Schedule = "constant",
        *,
        keep: str = "best",
        patience: int = 0,
        observers: Observers = (),
        checkpoints: Checkpoints | str | Path | None = None,
        resume: bool = False,
        stop: Callable[[], bool] | None = None,
        **unknown: Never,
    ) -> None:
        """Train for some more epochs, with the largest learning rate `lr` times the schedule; afterwards see `history`.

        Each fit begins with a fresh optimizer, and draws other orders than those before it; all of them are a function
        of the recipe's seed. lr: a number, or slice(low, high) from the first layers to the last. keep: "best" leaves
        the network with the weights of the best epoch by the first metric (no epoch at all, where none was better than
        the start), "last" with the last ones. patience: epochs without a better one until training stops; 0: as the
        recipe says. observers: `ursa.training.fit.Observer`s, or functions of an epoch's record; one that returns a
        text stops the run, with that reason. checkpoints: a folder to write them to, and to resume from, as if the run
        had never stopped; more epochs may be asked for. stop: asked after each step. Ctrl-C ends it cleanly. Raises
        TrainingError for arguments that cannot be, before the first batch.
        """
        refuse_unknown("fit", unknown, Learner.fit.__annotations__)
        given = {"keep": keep, "patience": patience, "observers": observers, "stop": stop}
        self._fit(fit_arguments(epochs, lr, schedule, checkpoints=checkpoints, resume=resume, **given))

    def fit_one_cycle(self, epochs: int, lr: Lr = None, **others: Unpack[FitKeywords]) -> None:
        """`fit` with a learning rate that rises to `lr` and falls to nothing (Smith 2018). others: as of `fit`."""
        refuse_unknown("fit_one_cycle", others, FitKeywords.__annotations__)
        self._fit(fit_arguments(epochs, lr, self._one_cycle(), **others))

    def fine_tune(
        self,
        epochs: int,
        lr: float | None = None,
        *,
        frozen_epochs: int | None = None,
        **others: Unpack[FitKeywords],
    ) -> None:
        """For a pretrained network: the head first, then everything, lower layers with lower learning rates.

        Pictures with a backbone, one class each: the head is the probe already, and fine-tuning, by the measured recipe
        with its loss and its metrics, has to beat it to be kept (`verdict`); frozen_epochs, `keep` and `stop` have no
        meaning there. Others: `frozen_epochs` (1) of the head alone, then `epochs` with half the learning rate (Howard
        and Gugger 2020). others: as of `fit`; checkpoints are those of the second part.
        """
        refuse_unknown("fine_tune", others, {**FitKeywords.__annotations__, "frozen_epochs": int})
        if isinstance(lr, slice):
            raise TrainingError("fine_tune chooses lower learning rates for lower layers itself", fix="lr=1e-3")
        wanted = fit_arguments(epochs, lr, self._one_cycle(), **others)
        frozen = whole_number("frozen_epochs", 1 if frozen_epochs is None else frozen_epochs)
        if starts_as_probe(self._setup):
            check_from_probe(wanted, self._given, frozen_epochs)
            self._fine_tune_from_probe(wanted)
            return
        max_lr = one_fit.usual_lr(self._setup, self.recipe) if lr is None else lr
        if frozen and wanted.checkpoints is not None and wanted.resume and wanted.checkpoints.exist():
            self._log.fits += 1  # they are over
        elif frozen:
            models.freeze(self.model)
            try:
                self._fit(replace(wanted, epochs=frozen, lr=max_lr, checkpoints=None, resume=False))
            finally:
                models.unfreeze(self.model)
            if self.history.stopped is not None:
                return
        models.unfreeze(self.model)
        self._fit(replace(wanted, lr=max_lr / 2), decayed=True)

    def freeze(self) -> None:
        """Only the head learns."""
        models.freeze(self.model)

    def freeze_to(self, n: int) -> None:
        """Only the layer groups from `n` on learn; -1 is the head alone."""
        models.freeze_to(self.model, n)

    def unfreeze(self) -> None:
        """Everything learns."""
        models.unfreeze(self.model)

    def lr_find(
        self,
        *,
        low: float = 1e-7,
        high: float = 10.0,
        steps: int = 100,
        repeats: int = 3,
        confirm: bool = False,
        **unknown: Never,
    ) -> Suggestion:
        """A range test of learning rates, from low to high: see `ursa.training.lr_finder.range_test`.

        confirm: short runs with the suggestion and its neighbors choose the best. Leaves everything as it was.
        """
        refuse_unknown("lr_find", unknown, Learner.lr_find.__annotations__)
        recipe = self._next_recipe(1).with_settings({"gradual_unfreezing": 0.0})
        optim = recipe.optim
        state = one_fit.state_of(self._setup, recipe, one_fit.lr_groups(self._setup, recipe, None))
        with one_fit.gradient_of(self._setup, recipe, 0) as gradient:
            return find(
                state,
                self.data.train.batches(recipe),
                loss=self.loss,
                gradient=gradient,
                epochs=optim.epochs,
                warmup=optim.warmup,
                max_grad_norm=optim.max_grad_norm,
                seed=recipe.seed,
                low=low,
                high=high,
                steps=steps,
                repeats=repeats,
                confirm=confirm,
            )

    def diagnose(self, *, confirm: bool = False) -> Finding:
        """What is wrong with the training so far, or that nothing is: `kind`, `evidence`, `advice`.

        confirm: where rate or epochs are suspected, the fit is made again as advised and compared, at up to three times
        its cost. The learner stays as it was.
        """
        return learner_verdict.diagnose(self._setup, self._log, self.recipe, self.backbone, confirm=confirm)

    def plot_history(self) -> "Figure":
        """Losses, metrics and learning rate of all fits so far."""
        from ursa.plots import curves

        return curves.history(self.history)

    def show_batch(self, count: int = 12) -> Any:
        """Training examples as the network gets them: a figure of pictures, augmented; a table of anything else."""
        return results.show_batch(self.data, self._next_recipe(1), count)

    def save(self, path: str | Path) -> Path:
        """Network, recipe and how inputs and targets are read, in one file for `ursa.load`."""
        given, log = self._given, self._log
        return learner_file.save(
            Path(path),
            self.model,
            self.data,
            self.recipe,
            optimizer=self._setup.optimizer,
            loss=given.loss,
            metrics=given.metrics,
            backbone=self.backbone,
            fits=log.fits,
            epochs=log.history.epochs,
            kept=log.kept,
        )

    def load(self, path: str | Path) -> None:
        """The weights of a saved learner into this one. Raises TrainingError for those of another network."""
        learner_file.load_weights(Path(path), self.model)
        self.model.to(self.device)

    def _fit(self, wanted: FitArguments, *, decayed: bool = False) -> None:
        groups = one_fit.lr_groups(self._setup, self.recipe, wanted.lr, decayed=decayed)

        def work(recipe: Recipe, history: History, shown: ProgressTable) -> Best | None:
            return one_fit.run(self._setup, recipe, groups, wanted, history, shown)

        self._logged(wanted, work)

    def _fine_tune_from_probe(self, wanted: FitArguments) -> None:
        def work(recipe: Recipe, history: History, shown: ProgressTable) -> Best | None:
            self.verdict, best = fine_tune_from_probe(self._setup, recipe, wanted, history, shown)
            return best

        self._logged(wanted, work)

    def _logged(self, wanted: FitArguments, work: Callable[[Recipe, History, ProgressTable], Best | None]) -> None:
        """One fit more: whatever ends it, what it did is in the log."""
        log, checkpoints, best = self._log, wanted.checkpoints, None
        if wanted.resume:
            log.resume(checkpoints)
        recipe, history = self._next_recipe(wanted.epochs), History()
        log.begin(wanted, recipe, self.model)
        shown = progress_table(self._progress, wanted.epochs)
        try:
            best = work(recipe, history, shown)
        finally:
            log.add(history, best, checkpoints)
        if shown.observers and (text := self._log.kept_text()):
            sys.stdout.write(f"{text}\n")

    def _next_recipe(self, epochs: int) -> Recipe:
        """Of the next fit: its own orders, and a batch size that the network can take."""
        fits, batch_size = self._log.fits, self.recipe.optim.batch_size
        seed = seeds.number(self.recipe.seed, "fit", fits) if fits else self.recipe.seed
        size = layer_lrs.batch_size_for_batch_norm(self.model, len(self.data.train), batch_size)
        return self.recipe.with_settings({"epochs": epochs, "seed": seed, "batch_size": size})

    def _one_cycle(self) -> Schedule:
        return schedules.one_cycle(self.recipe.optim.warmup)

    def _origin(self) -> str:
        if self.backbone and not self.kept:
            return "probe" if self.data.targets.task == "single-label" else "linear"
        return super()._origin()

    def __repr__(self) -> str:
        return f"Learner({'; '.join(self._facts().values())})"

    def _repr_html_(self) -> str:
        cells = "".join(f"<tr><th>{n}</th><td>{html.escape(text)}</td></tr>" for n, text in self._facts().items())
        return f"<table>{cells}</table>"

    if not TYPE_CHECKING:  # so that type checkers know what there is

        def __getattr__(self, name: str) -> Any:
            raise no_attribute("Learner", name, [each for each in dir(type(self)) if not each.startswith("_")])

    def _facts(self) -> dict[str, str]:
        count = sum(p.numel() for p in self.model.parameters())
        network = self.backbone or type(self.model).__name__
        task = self.data.targets.task
        classes = f", {len(self.data.targets.names)} classes" if self.data.targets.names else ""
        return {
            "network": f"{network}, {count:,} parameters",
            "data": f"{task}{classes}, {len(self.data.train):,} to train, {len(self.data.valid):,} to validate",
            "history": repr(self.history),
            **({"kept": text} if (text := self._log.kept_text()) else {}),
        }
