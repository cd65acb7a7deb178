"""A network that has learned -> predictions, metrics with intervals, figures, exported files. It is only read."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ursa import models
from ursa.core.statistics import Estimate
from ursa.errors import BundleError, DataError
from ursa.learner import exporting, results
from ursa.learner.confusion_matrix import ConfusionMatrix
from ursa.learner.interpretation import layers_shown, looked_at
from ursa.learner.learner_recipe import Optimizer
from ursa.learner.one_fit import FitSetup
from ursa.recipe import Recipe
from ursa.training import evaluation
from ursa.training.batches.learner_data import LearnerData
from ursa.training.batches.splits import PictureSplit, Split
from ursa.training.tasks.losses import Loss
from ursa.training.tasks.metrics import Metric
from ursa.training.tasks.predictions import Predictions, to_predictions, with_ids
from ursa.training.tasks.target_shapes import shaped

if TYPE_CHECKING:
    from ursa.diagnose.explain.cam import GradCam
    from ursa.plots.figure import Figure


class TrainedNetwork:
    """A network, its data and what it is judged by."""

    def __init__(self, setup: FitSetup, recipe: Recipe, backbone: str = "") -> None:
        """backbone: its name, where the network began as a pretrained one."""
        self._setup, self.recipe, self.backbone = setup, recipe, backbone

    @property
    def model(self) -> nn.Module:
        """The network."""
        return self._setup.model

    @property
    def data(self) -> LearnerData:
        """Its splits `train` and `valid`, and how inputs and targets are read."""
        return self._setup.data

    @property
    def loss(self) -> Loss:
        """A function of outputs and targets [N, ...] -> the mean over the examples."""
        return self._setup.loss

    @property
    def optimizer(self) -> Optimizer:
        """A name, or a function of parameter groups: every fit makes its own."""
        return self._setup.optimizer

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """What is measured after each epoch; the first one chooses the best."""
        return self._setup.metrics

    @property
    def device(self) -> str:
        """Where it computes."""
        return self._setup.device

    @property
    def precision(self) -> torch.dtype:
        """What it computes in."""
        return self._setup.precision

    def evaluate(self, data: Any = None) -> dict[str, Estimate]:
        """ "loss" and each metric with its 95 % interval: on the validation split, or on other data of the same form.

        data: (x, y), a data set, or a folder, table or catalog of pictures. The loss of a regression is that of
        standardized targets; its metrics are in the targets' units.
        """
        split, note = self._split(data)
        outputs, true = self._outputs(split)
        return evaluation.estimates(outputs, shaped(true, outputs), self.loss, self.metrics, self.data.targets, note)

    def predict(self, x: Any) -> Predictions:
        """Inputs in the form of the training split's -> labels in the targets' own type, probabilities, numbers.

        Of pictures: a file, pixels [h, w, 3], a list of those, or a folder, whose readable pictures are predicted.
        """
        split = self.data.inputs.unlabeled(x, self.device)
        return with_ids(to_predictions(self._outputs(split)[0], self.data.targets), split.ids)

    def predictions(self, split: str = "valid") -> tuple[Predictions, Any]:
        """Of "valid" or "train": what the network predicts, and the targets."""
        splits = {"train": self.data.train, "valid": self.data.valid}
        if split not in splits:
            raise DataError(f"there is no split {split!r}", fix="train or valid")
        outputs, true = self._outputs(splits[split])
        return with_ids(to_predictions(outputs, self.data.targets), splits[split].ids), true

    def confusion(self, data: Any = None) -> ConfusionMatrix:
        """How often each class is taken for each: on the validation split, or on other data as of `evaluate`."""
        if self.data.targets.task != "single-label":
            raise DataError("only single classes are taken for one another", found=f"a {self.data.targets.task} task")
        outputs, true = self._outputs(self._split(data)[0])
        predicted = outputs.argmax(1) if outputs.shape[1] > 1 else (outputs[:, 0] > 0).long()
        names = [str(name) for name in self.data.targets.labels(max(2, outputs.shape[1]))]
        return ConfusionMatrix.of(predicted.numpy(), true.reshape(-1).numpy(), names)

    def top_losses(self, count: int = 9, data: Any = None) -> Any:
        """The examples with the largest losses, the largest first, as a table (polars): of the validation split, or of
        other data as of `evaluate`. For pictures the column `picture` holds their ids."""
        split = self._split(data)[0]
        outputs, true = self._outputs(split)
        return results.top_losses(outputs, split, shaped(true, outputs), self.loss, self.data.targets, count)

    def summary(self) -> models.Summary:
        """Layers with shapes, parameters, multiply-adds and memory, for one batch."""
        return models.summary(self.model, *results.first_batch(self.data.train, self.recipe.optim.batch_size).inputs)

    def show_results(self, count: int = 12) -> Any:
        """Validation examples with targets and predictions: a figure of pictures, a table (polars) of anything else."""
        return results.show_results(self.model, self.data, count, self.recipe.seed)

    def grad_cam(
        self, x: Any = None, label: Any = None, *, layer: str | None = None, count: int = 4, check: bool = True
    ) -> "GradCam":
        """Where the network sees a class in each picture (Grad-CAM), and whether random weights destroy these maps.

        x: pictures as of `predict`; None: validation examples, `count` drawn by the seed. label: the class that is
        looked for; None: the one that is predicted. layer: its name; None: the last one with a map of the picture.
        check: the sanity check. Of a regression with one number, 1 is what raises it, 0 what lowers it.
        """
        seen = looked_at.examples(self.data, x, self.device, count, self.recipe.seed)
        seed = self.recipe.seed
        return looked_at.maps_of(self.model, self.data.targets, seen, label, layer, check=check, seed=seed)

    def show_grad_cam(self, x: Any = None, label: Any = None, *, layer: str | None = None, count: int = 4) -> "Figure":
        """`grad_cam` as a figure: each picture beside what speaks for the class. Raises TrainingError where the maps do
        not pass the sanity check, since they would then explain nothing."""
        seed, targets = self.recipe.seed, self.data.targets
        seen = looked_at.examples(self.data, x, self.device, count, seed)
        found = looked_at.maps_of(self.model, targets, seen, label, layer, check=True, seed=seed)
        return looked_at.show(self.model, targets, seen, found)

    def show_filters(self) -> "Figure":
        """The filters of the first convolution: what the network looks for in pixels."""
        return layers_shown.show_filters(self.model)

    def show_activations(self, x: Any = None) -> "Figure":
        """What layers make of one picture, the first layers first; None: a validation example."""
        seen = looked_at.examples(self.data, x, self.device, 1, self.recipe.seed)
        return layers_shown.show_activations(self.model, seen)

    def show_top_activations(
        self, unit: int, *, layer: str | None = None, count: int = 8, data: Any = None
    ) -> "Figure":
        """The pictures that excite a unit (a channel of a layer) most, beside where it responds: of the validation
        split, or of other data as of `evaluate`. layer: its name; None: the last one with a map of the picture."""
        split = self._split(data)[0]
        found = layers_shown.top_activations(self.model, self.data, split, unit, layer, count)
        return layers_shown.show_top_activations(self.data, split, found)

    def export(self, path: str | Path, *, names: Sequence[str] | None = None) -> Path:
        """`.onnx`: a file that takes inputs as they were given; `.ursa`: a bundle of a network that takes pictures.

        names: what the numbers of a regression are called in a bundle; "value" where nobody says.
        """
        if names is not None and Path(path).suffix != ".ursa":
            raise BundleError("numbers are named in a bundle", found=str(path), fix="leave out names, or name it .ursa")
        network = self.backbone or type(self.model).__name__
        training = {"backbone": network, "kept": self._origin(), "recipe": self.recipe.to_json()}
        return exporting.export(self.model, self.data, Path(path), training, self.evaluate, names)

    def _split(self, data: Any) -> tuple[Split, str]:
        """The validation split, or that of other data; and a note which examples these are."""
        if data is not None:
            given = self.data.inputs.split(data, self.data.targets, self.device)
            return given, f"data that were given{_learned_from(given, self.data.train)}"
        if not len(self.data.valid):
            raise DataError("this learner was loaded without data to evaluate on", fix="evaluate((x, y))")
        return self.data.valid, "validation split, which also chose the epoch"

    def _outputs(self, split: Split) -> tuple[Any, Any]:
        """Outputs and targets of all examples, in main memory."""
        setup = self._setup
        outputs, true = evaluation.predict(setup.model, split, setup.eval_batch, setup.precision)
        return evaluation.on_cpu(outputs), evaluation.on_cpu(true)

    def _origin(self) -> str:
        """Where the weights are from: "probe", "fine-tuned" or "trained"."""
        return "fine-tuned" if self.backbone else "trained"


def _learned_from(given: Split, train: Split) -> str:
    """How many of some pictures a learner has learned from, by the bytes of their files; "" for none."""
    if not isinstance(given, PictureSplit) or not isinstance(train, PictureSplit):
        return ""
    known = given.catalog.rows["sha256"].is_in(train.catalog.rows["sha256"].drop_nulls().to_list())
    return f", {known.sum():,} of {len(given):,} pictures learned from" if known.any() else ""
