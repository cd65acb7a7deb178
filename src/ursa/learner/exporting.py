"""A network and its data -> an ONNX file of any network, or a bundle of one that takes pictures. Both are proven to
predict the same."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from ursa.core.bundles.picture_hashes import PictureHashes
from ursa.core.labels import Labels
from ursa.core.statistics import Estimate
from ursa.core.tasks import REGRESSION, TASKS
from ursa.errors import BundleError
from ursa.export.network import export_network
from ursa.export.write_bundle import export as to_bundle
from ursa.serve.prediction import activated
from ursa.training import evaluation
from ursa.training.batches.inputs import WithScaledInputs
from ursa.training.batches.learner_data import ArrayInputs, LearnerData
from ursa.training.batches.splits import PictureSplit
from ursa.training.tasks.target_scaling import InTargetUnits
from ursa.training.tasks.targets import Targets

EXAMPLES = 64  # on which network and file are compared
ENDINGS = "model.onnx for a network that takes what predict takes, model.ursa for a bundle of one that takes pictures"


def export(
    model: nn.Module,
    data: LearnerData,
    path: Path,
    training: Mapping[str, Any],
    metrics: Callable[[], Mapping[str, Estimate]],
    names: Sequence[str] | None = None,
) -> Path:
    """`.onnx`: inputs as they were given (scaling is inside) -> outputs in the targets' units. `.ursa`: a bundle.

    training: what the bundle says of how it came about; metrics: measures it on the validation split; names: of the
    numbers of a regression. Raises BundleError for another ending, and for what cannot be.
    """
    if path.suffix not in (".onnx", ".ursa"):
        fix = f"{ENDINGS}; to go on in Python, save"
        raise BundleError("a learner is exported by the ending of the file", found=str(path), fix=fix)
    if not len(data.valid):
        raise BundleError("export compares both on examples", found="a learner without data", fix="load(path, data)")
    if path.suffix == ".onnx":
        _to_onnx(model, data, path)
    elif not isinstance(data.valid, PictureSplit) or not isinstance(data.train, PictureSplit):
        fix = f"name it {path.with_suffix('.onnx')}"
        raise BundleError("only a network that takes pictures becomes a bundle", found=str(path), fix=fix)
    elif data.targets.task not in TASKS:
        found, fix = f"a learner of a {data.targets.task} task", f"name it {path.with_suffix('.onnx')}"
        raise BundleError("a bundle predicts classes, labels or numbers", found=found, fix=fix)
    else:
        _to_bundle(model, data, path, training, metrics(), names)
    return path


def _to_onnx(model: nn.Module, data: LearnerData, path: Path) -> None:
    batch = next(iter(data.valid.in_order(max(2, min(EXAMPLES, len(data.valid))))))
    examples = tuple(x if len(x) > 1 else x.repeat(2, *[1] * (x.ndim - 1)) for x in batch.inputs)
    parts = {name: part.scaling for name, part in data.targets.parts.items() if part.scaling is not None}
    if parts or data.targets.scaling is not None:
        model = InTargetUnits(model, data.targets.scaling or parts)
    if isinstance(data.inputs, ArrayInputs):
        model, examples = WithScaledInputs(model, data.inputs.scaling), data.inputs.scaling.undo(examples)
    export_network(model, examples, path)


def _to_bundle(
    model: nn.Module,
    data: LearnerData,
    path: Path,
    training: Mapping[str, Any],
    metrics: Mapping[str, Estimate],
    names: Sequence[str] | None,
) -> None:
    train, valid, targets = cast(PictureSplit, data.train), cast(PictureSplit, data.valid), data.targets
    outputs = evaluation.predict(model, valid, EXAMPLES)[0]
    called = _called(targets, outputs, names)
    if outputs.ndim != 2 or outputs.shape[1] != len(called):
        found = f"outputs {list(outputs.shape[1:])} for {len(called)} of them"
        fix = f"a network with {len(called)} outputs, or name it {path.with_suffix('.onnx')}"
        raise BundleError("a bundle has one output for each class, label or number", found=found, fix=fix)
    learned = activated(targets.undo(outputs).cpu().numpy().astype(np.float32), targets.task, 1.0)
    counts, device = train.catalog.counts(), next(model.parameters()).device
    pictures = {} if targets.task == REGRESSION else {name: counts.get(name, 0) for name in called}
    try:
        to_bundle(
            model.cpu(),
            Labels(called),
            valid.preparation,
            path,
            views=valid.views,
            learned=learned,
            training={**training, "pictures": pictures},
            metrics={name: one.to_json() for name, one in metrics.items() if name != "loss"},
            pictures=PictureHashes.of({"train": train.catalog.rows["sha256"], "valid": valid.catalog.rows["sha256"]}),
            task=targets.task,
            scaling=targets.scaling,
        )
    finally:
        model.to(torch.device(device))


def _called(targets: Targets, outputs: torch.Tensor, names: Sequence[str] | None) -> tuple[str, ...]:
    """The classes, or what the numbers are to be called."""
    if targets.task != REGRESSION:
        if names is not None:
            raise BundleError("classes have their names already", found=", ".join(names)[:100], fix="leave out names")
        return targets.names
    count = outputs.shape[-1]
    if names is None:
        return ("value",) if count == 1 else tuple(f"value {number}" for number in range(1, count + 1))
    return tuple(names)
