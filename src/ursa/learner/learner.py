"""Learner: data and a network -> a trained network, by plain calls to what lies below it (`training`, `models`).

>>> learner = ursa.Learner((x, y), ursa.models.mlp(64, 10))
>>> learner.fit_one_cycle(5)
>>> learner.evaluate()["accuracy"], learner.predict(x[:3]).labels
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from ursa import models
from ursa.core import seeds
from ursa.core.finding import Finding
from ursa.core.progress import silent
from ursa.core.statistics import Estimate
from ursa.data.catalog import Catalog
from ursa.embed.device import available
from ursa.errors import DataError, TrainingError
from ursa.learner import learner_setup as setup
from ursa.learner import picture_data as with_pictures
from ursa.learner.progress_table import table
from ursa.prepared.setup import Options
from ursa.recipe import Recipe
from ursa.training import evaluation
from ursa.training.batches.batch import Batch
from ursa.training.batches.inputs import tensors
from ursa.training.batches.learner_data import LearnerData, read_data, read_split
from ursa.training.batches.splits import ArraySplit, Split
from ursa.training.fit import INTERRUPTED, Observer, fit
from ursa.training.history import History
from ursa.training.loop import Gradient, State
from ursa.training.optim import layer_lrs, schedules
from ursa.training.optim.ema import EMA
from ursa.training.optim.optimizers import Group
from ursa.training.optim.schedules import Schedule
from ursa.training.tasks import metrics
from ursa.training.tasks.losses import Loss
from ursa.training.tasks.predictions import Predictions, to_predictions
from ursa.training.tasks.target_shapes import shaped

if TYPE_CHECKING:
    from ursa.plots.figure import Figure


class Learner:
    """A network, its data, and what happened to it: `model`, `recipe`, `history`, `verdict`, `given`."""

    def __init__(
        self,
        data: Any,
        model: str | nn.Module,
        *,
        loss: Loss | None = None,
        optimizer: setup.Optimizer = "adamw",
        metrics: Sequence[Any] | None = None,
        recipe: Recipe | Mapping[str, Any] | None = None,
        options: Options | None = None,
        names: Sequence[str] | None = None,
        device: str | None = None,
        precision: str = "fp32",
        standardize: bool = True,
        size: int = 224,
        workers: int = 0,
        channels_last: bool | None = None,
        compile: bool = False,
        progress: bool | None = None,
    ) -> None:
        """Everything that does not fit together is told here, before the first step (DataError, TrainingError).

        data: arrays (x, y) or ((x, y), (x_valid, y_valid)), torch data sets, or a picture folder, table or catalog.
        model: a network; for pictures also a backbone's name. recipe: a whole one, or what differs from the usual
        one, as in {"batch": 128}. optimizer: a name, or a function of parameter groups, as torch's classes are.
        device: "cpu", "cuda", "mps", or "auto" for the fastest there is. precision: "fp32", "bf16", "fp16".
        size: pixels that a network of one's own sees of the pictures in folders. channels_last: how pictures lie in
        memory, None: as is usually faster. compile: by torch.compile. progress: True shows a table anywhere, False
        nowhere, None where a person looks.
        """
        options = options or Options()
        self.device = available(device or options.device)
        self.precision, self.show = setup.precision_of(precision, self.device), progress
        self.options, self.optimizer = replace(options, device=self.device), optimizer
        self.history, self.fits, self.verdict = History(), 0, cast(Finding | None, None)
        self._unfinished: tuple[History, int] | None = None  # history and fits before one that Ctrl-C ended
        self.pictures: with_pictures.Pictures | None = None
        if isinstance(data, str | Path | Catalog):
            self.recipe = setup.recipe_of(recipe, Recipe())
            self.pictures = with_pictures.pictures(data, model, size, self.recipe, self.options)
            self.model, self.given = self.pictures.model.to(self.device), self.pictures.given
        elif isinstance(model, nn.Module):
            self.recipe = setup.recipe_of(recipe, setup.SCRATCH)
            self.model = model.to(self.device)
            self.given = data if isinstance(data, LearnerData) else self._read(data, names, standardize, workers)
        else:
            raise TrainingError("arrays and data sets need a network", found=repr(model), fix="ursa.models.mlp(...)")
        self.loss = loss or setup.loss_of(self.given, self.recipe)
        self.metrics = self._measures(metrics)
        self.at_once = evaluation.AT_ONCE  # examples that are evaluated at a time
        if len(self.given.train):
            self.given, self.at_once = setup.checked(self.model, self.given, self.loss)
        self.given = setup.laid(self.model, self.given, channels_last, self.device, self.precision)
        if compile:
            self.model.compile()

    def fit(
        self,
        epochs: int,
        lr: float | None = None,
        schedule: str | Schedule = "constant",
        *,
        observers: Sequence[Observer] = (),
        keep: str = "best",
        **running: Any,
    ) -> None:
        """Train for some more epochs, with the peak `rate` times the schedule; afterwards see `history`.

        Each fit begins with a fresh optimiser, and draws other orders than those before it; all of them are a function
        of the recipe's seed. keep: "best" leaves the network with the weights of the best epoch by the first metric (no
        epoch at all, where none was better than the start), "last" with the last ones. Ctrl-C ends it cleanly.
        running: `checkpoints`, `resume` and `stop` of `training.fit.fit`.
        """
        self._fit(epochs, self._groups(lr), schedule, observers, keep, running)

    def fit_one_cycle(self, epochs: int, lr: float | None = None, **others: Any) -> None:
        """`fit` with a rate that rises to its peak and falls to nothing (Smith 2018)."""
        self.fit(epochs, lr, schedules.one_cycle(self.recipe.optim.warmup), **others)

    def fine_tune(self, epochs: int, lr: float | None = None, *, frozen_epochs: int = 1, **others: Any) -> None:
        """For a pretrained network: the head first, then everything, lower layers with lower rates.

        Pictures with a backbone, one class each: the head is the probe already, and fine-tuning, by the measured recipe
        with its loss and its metrics, has to beat it to be kept (`verdict`). Others: `frozen_epochs` of the head alone,
        then `epochs` with half the rate (Howard and Gugger 2020). others: as for `fit`; checkpoints are those of the
        second part, pictures take `observers`, `checkpoints` and `resume` alone.
        """
        if self.pictures is not None and self.pretrained and self.given.targets.task == "single-label":
            self._from_probe(self.pictures, epochs, lr, **others)
            return
        max_lr, checkpoints = self._lr(lr), others.pop("checkpoints", None)
        if checkpoints is not None and others.get("resume", False) and checkpoints.exist():
            self.fits += bool(frozen_epochs)  # they are over
        elif frozen_epochs:
            self.freeze()
            self.fit_one_cycle(frozen_epochs, max_lr, **{**others, "resume": False})
            if self.history.stopped == INTERRUPTED:
                self.unfreeze()
                return
        self.unfreeze()
        tiers = setup.layer_groups_of(self.model, self.recipe, max_lr / 2, backbone=self.pretrained)
        cycle, observers = schedules.one_cycle(self.recipe.optim.warmup), others.pop("observers", ())
        keep, running = others.pop("keep", "best"), {"checkpoints": checkpoints, **others}
        self._fit(epochs, tiers, cycle, observers, keep, running)

    @property
    def pretrained(self) -> bool:
        """Whether it learns pictures from a backbone on."""
        return self.pictures is not None and bool(self.pictures.backbone)

    def freeze(self) -> None:
        """Only the head learns."""
        models.freeze(self.model)

    def freeze_to(self, n: int) -> None:
        """Only the layer groups from `n` on learn; -1 is the head alone."""
        models.freeze_to(self.model, n)

    def unfreeze(self) -> None:
        """Everything learns."""
        models.unfreeze(self.model)

    def evaluate(self, data: Any = None) -> dict[str, Estimate]:
        """ "loss" and each metric with its 95 % interval: on the validation part, or on other data of the same form."""
        if data is None and not len(self.given.valid):
            raise DataError("this learner was loaded without data to evaluate on", fix="evaluate((x, y))")
        if data is not None and self.pictures is not None:
            fix = "export a bundle, then ursa.evaluate(bundle, folder)"
            raise DataError("a learner of picture folders evaluates its own validation part", fix=fix)
        part, note = self.given.valid, "validation part, which also chose the epoch"
        if data is not None:
            part, note = read_split(data, self.given, self.device), "data that were given"
        outputs, targets = (
            evaluation.on_cpu(tree) for tree in evaluation.predict(self.model, part, self.at_once, self.precision)
        )
        return evaluation.intervals(outputs, shaped(targets, outputs), self.loss, self.metrics, note)

    def predict(self, x: Any) -> Predictions:
        """Inputs in the form of the training part's (pictures: files or pixels) -> classes, probabilities, numbers."""
        if self.pictures is not None:
            inputs: tuple[Tensor, ...] = (with_pictures.views(x, self.pictures.preparation),)
        else:
            inputs = tensors(x) if self.given.inputs is None else self.given.inputs.of(tensors(x))
        part = ArraySplit(tuple(one.to(self.device) for one in inputs), ())
        return to_predictions(evaluation.predict(self.model, part, self.at_once, self.precision)[0], self.given.targets)

    def predictions(self, part: str = "valid") -> tuple[Predictions, Any]:
        """Of "valid" or "train": what the network says, and the targets."""
        parts: dict[str, Split] = {"train": self.given.train, "valid": self.given.valid}
        if part not in parts:
            raise DataError(f"there is no part {part!r}", fix="train or valid")
        outputs, targets = evaluation.predict(self.model, parts[part], self.at_once, self.precision)
        return to_predictions(outputs, self.given.targets), evaluation.on_cpu(targets)

    def lr_find(self, **settings: Any) -> Any:
        """A range test of learning rates: see `ursa.training.lr_finder.range_test`. Leaves everything as it was."""
        from ursa.training.lr_finder.range_test import find

        recipe = self._recipe_of(1).with_settings({"gradual_unfreezing": 0.0})
        state = State(self.model, setup.made(self.optimizer, self._groups(None), self.model, self.recipe))
        batches = self.given.train.batches(recipe)
        with self._gradient(recipe, 0) as gradient:
            optim = recipe.optim
            run: dict[str, Any] = {"epochs": optim.epochs, "warmup": optim.warmup, "seed": recipe.seed}
            run |= {"max_grad_norm": optim.max_grad_norm, **settings}
            return find(state, batches, loss=self.loss, gradient=gradient, **run)

    def summary(self) -> models.Summary:
        """Layers with shapes, parameters, multiply-adds and memory, for one batch."""
        return models.summary(self.model, *self._first(min(self.recipe.optim.batch_size, len(self.given.train))).inputs)

    def plot_history(self) -> "Figure":
        """Losses, metrics and rate of all fits so far."""
        from ursa.plots import curves

        return curves.history(self.history)

    def show_results(self, count: int = 12) -> Any:
        """Validation examples beside what the network says: a figure of pictures, a table (polars) of anything else."""
        from ursa.learner.results import results

        return results(self, count)

    def save(self, path: str | Path) -> Path:
        """Network, recipe and the reading of inputs and targets in one file for `ursa.load_learner`."""
        from ursa.learner.learner_file import save

        return save(self, Path(path))

    def load(self, path: str | Path) -> None:
        """The weights of a saved learner into this one. Raises TrainingError for those of another network."""
        models.load(path, model=self.model)
        self.model.to(self.device)

    def export(self, path: str | Path) -> Path:
        """An `.onnx` file that takes inputs as they were given; for a backbone on pictures also a `.ursa` bundle."""
        from ursa.learner.exporting import export

        return export(self, Path(path))

    def _from_probe(self, pictures: with_pictures.Pictures, epochs: int, lr: float | None, **running: Any) -> None:
        self._go_on(resume=running.get("resume", False))
        recipe, history, shown = self._recipe_of(epochs), History(), table(self.show, epochs)
        self.fits += 1
        try:
            running |= {"precision": self.precision, "history": history}
            self.verdict = with_pictures.fine_tuned(pictures, recipe, lr, shown, **running)
        finally:
            self._remember(history, kept=running.get("checkpoints") is not None)

    def _fit(
        self,
        epochs: int,
        groups: list[Group],
        schedule: str | Schedule,
        observers: Sequence[Observer],
        keep: str,
        running: Mapping[str, Any],
    ) -> None:
        self._go_on(resume=running.get("resume", False))
        recipe, history, shown = self._recipe_of(epochs), History(), table(self.show, epochs)
        schedule = schedules.create(schedule) if isinstance(schedule, str) else schedule
        schedules.check(schedule)
        state = State(self.model, setup.made(self.optimizer, groups, self.model, self.recipe))
        state.average = EMA(self.model, recipe.optim.ema_decay) if recipe.optim.ema_decay else None
        state.scaler = torch.amp.GradScaler(self.device) if self.precision is torch.float16 else None
        batches = self.given.train.batches(recipe)
        self.fits += 1
        try:
            with self._gradient(recipe, epochs * len(batches)) as gradient:
                fit(
                    state,
                    batches,
                    evaluation.evaluator(self.given.valid, self.loss, self.metrics, self.at_once, self.precision),
                    epochs=epochs,
                    loss=self.loss,
                    schedule=schedule,
                    gradient=gradient,
                    max_grad_norm=recipe.optim.max_grad_norm,
                    seed=recipe.seed,
                    patience=recipe.optim.patience,
                    settings=recipe.flat(),
                    monitor=setup.monitor_of(keep, self.metrics),
                    history=history,
                    observers=(*shown.observers, *observers),
                    progress=shown.progress if shown.observers else silent,
                    **running,
                )
        except (RuntimeError, ValueError, TypeError, IndexError, KeyError) as error:
            raise models.explain(self.model, self._first(recipe.optim.batch_size).inputs, error) from error
        finally:
            self._remember(history, kept=running.get("checkpoints") is not None)

    def _go_on(self, *, resume: bool) -> None:
        """Forget a fit that Ctrl-C ended where this one goes on with it: the checkpoints hold its history."""
        if resume and self._unfinished is not None:
            self.history, self.fits = self._unfinished

    def _recipe_of(self, epochs: int) -> Recipe:
        """Of the next fit: its own orders, and a batch that the network can take."""
        seed = seeds.number(self.recipe.seed, "fit", self.fits) if self.fits else self.recipe.seed
        size = layer_lrs.batch_size_for_batch_norm(self.model, len(self.given.train), self.recipe.optim.batch_size)
        return self.recipe.with_settings({"epochs": epochs, "seed": seed, "batch_size": size})

    def _read(self, data: Any, names: Sequence[str] | None, standardize: bool, workers: int) -> LearnerData:
        return read_data(
            data,
            names=names,
            valid=self.recipe.split.valid,
            seed=self.recipe.seed,
            standardize=standardize,
            device=self.device,
            workers=workers,
        )

    def _lr(self, lr: float | None) -> float:
        usual = setup.lr_of(self.optimizer, self.recipe, backbone=self.pretrained)
        return usual if lr is None else lr

    def _groups(self, lr: float | None) -> list[Group]:
        return setup.groups_of(self.model, self.recipe, self._lr(lr), backbone=self.pretrained)

    def _gradient(self, recipe: Recipe, steps: int) -> AbstractContextManager[Gradient]:
        return setup.gradient_of(self.model, recipe, steps, self.precision, self.device, backbone=self.pretrained)

    def _remember(self, now: History, *, kept: bool) -> None:
        """Append a fit's history: steps and epochs count on, and its epoch 0 is the one before it.

        kept: whether there are checkpoints to go on from. A fit that was refused before it began does not count.
        """
        if not now.epochs:
            self.fits -= 1
            return
        before = History([*self.history.steps], [*self.history.epochs]), self.fits - 1
        self._unfinished = before if kept and now.stopped == INTERRUPTED else None
        steps, epochs = len(self.history.steps), int(self.history.epochs[-1]["epoch"]) if self.history.epochs else 0
        self.history.steps += [{**s, "step": s["step"] + steps, "epoch": s["epoch"] + epochs} for s in now.steps]
        records = now.epochs[1:] if self.history.epochs else now.epochs
        self.history.epochs += [{**record, "epoch": record["epoch"] + epochs} for record in records]
        self.history.stopped = now.stopped

    def _measures(self, wanted: Sequence[Any] | None) -> tuple[metrics.Metric, ...]:
        return evaluation.measures_for(self.given.targets) if wanted is None else metrics.measures(wanted)

    def _first(self, count: int) -> Batch:
        return next(iter(self.given.train.in_order(min(count, len(self.given.train)))))
