"""A network and its data -> an ONNX file of any network, or a bundle of a classifier of pictures. Both are proven to
predict the same."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from ursa.core import statistics
from ursa.core.bundles.picture_hashes import PictureHashes
from ursa.core.labels import Labels
from ursa.errors import BundleError
from ursa.export.network import export_network
from ursa.export.write_bundle import export as to_bundle
from ursa.training import evaluation
from ursa.training.batches.inputs import WithScaledInputs
from ursa.training.batches.learner_data import ArrayInputs, LearnerData
from ursa.training.batches.splits import PictureSplit
from ursa.training.tasks.target_scaling import InTargetUnits

EXAMPLES = 64  # on which network and file are compared
ENDINGS = "model.onnx for a network that takes what predict takes, model.ursa for a bundle of a classifier of pictures"


def export(model: nn.Module, data: LearnerData, path: Path, training: Mapping[str, Any]) -> Path:
    """`.onnx`: inputs as they were given (scaling is inside) -> outputs in the targets' units. `.ursa`: a bundle.

    training: what the bundle says of how it came about. Raises BundleError for another ending, and for what cannot be.
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
        raise BundleError("only a classifier of pictures becomes a bundle", found=str(path), fix=fix)
    elif data.targets.task != "single-label":
        found, fix = f"a learner of a {data.targets.task} task", f"name it {path.with_suffix('.onnx')}"
        raise BundleError("a bundle predicts one class a picture", found=found, fix=fix)
    else:
        _to_bundle(model, data.train, data.valid, data.targets.names, path, training)
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
    train: PictureSplit,
    valid: PictureSplit,
    names: tuple[str, ...],
    path: Path,
    training: Mapping[str, Any],
) -> None:
    outputs, targets = evaluation.predict(model, valid, EXAMPLES)
    if outputs.ndim != 2 or outputs.shape[1] != len(names):
        found = f"outputs {list(outputs.shape[1:])} for {len(names)} classes"
        fix = f"a network with {len(names)} outputs, or name it {path.with_suffix('.onnx')}"
        raise BundleError("a bundle has one output for each class", found=found, fix=fix)
    learned = statistics.softmax(outputs.cpu().numpy().astype(np.float32))
    note = "held-out validation pictures, which chose the epoch"
    accuracy = statistics.accuracy(learned, targets.cpu().numpy(), note)
    counts, device = train.catalog.counts(), next(model.parameters()).device
    try:
        to_bundle(
            model.cpu(),
            Labels(names),
            valid.preparation,
            path,
            views=valid.views,
            learned=learned,
            training={**training, "pictures": {name: counts.get(name, 0) for name in names}},
            metrics={"accuracy": accuracy.to_json()},
            pictures=PictureHashes.of({"train": train.catalog.rows["sha256"], "valid": valid.catalog.rows["sha256"]}),
        )
    finally:
        model.to(torch.device(device))
