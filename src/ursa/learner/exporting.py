"""A learner -> an ONNX file of any network, or a bundle of a backbone on pictures. Both proven to predict the same."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from ursa.core import statistics
from ursa.errors import BundleError
from ursa.export.network import export_network
from ursa.export.write_bundle import export as to_bundle
from ursa.training import evaluation
from ursa.training.batches.inputs import Scaled
from ursa.training.batches.splits import ArraySplit, PictureSplit
from ursa.training.classifier import Classifier

if TYPE_CHECKING:
    from ursa.learner.learner import Learner

EXAMPLES = 64  # on which network and file are compared


def export(learner: "Learner", path: Path) -> Path:
    """`.onnx`: inputs as they were given (scaling is inside) -> the network's bare outputs. `.ursa`: a bundle."""
    if path.suffix == ".onnx":
        _to_onnx(learner, path)
    elif not isinstance(learner.given.valid, PictureSplit) or not learner.pretrained:
        fix = f"name it {path.with_suffix('.onnx')}"
        raise BundleError("only a backbone on pictures becomes a bundle", found=str(path), fix=fix)
    elif learner.given.targets.task != "single-label" or not isinstance(learner.model, Classifier):
        found, fix = f"a learner of a {learner.given.targets.task} task", f"name it {path.with_suffix('.onnx')}"
        raise BundleError("a bundle tells one class a picture", found=found, fix=fix)
    else:
        _to_bundle(learner, learner.model, learner.given.valid, path)
    return path


def _to_onnx(learner: "Learner", path: Path) -> None:
    valid, inputs = learner.given.valid, learner.given.inputs
    count = max(2, min(EXAMPLES, len(valid)))
    batch = next(iter(valid.in_order(count)))
    examples = tuple(x if len(x) > 1 else x.repeat(2, *[1] * (x.ndim - 1)) for x in batch.inputs)
    if inputs is None or not isinstance(valid, ArraySplit):
        export_network(learner.model, examples, path)
        return
    export_network(Scaled(learner.model, inputs), inputs.undone(examples), path)


def _to_bundle(learner: "Learner", model: Classifier, valid: PictureSplit, path: Path) -> None:
    outputs, targets = evaluation.predict(model, valid, EXAMPLES)
    learned = statistics.softmax(outputs.cpu().numpy().astype(np.float32))
    accuracy = statistics.accuracy(
        learned, targets.cpu().numpy(), "held-out validation pictures, which chose the epoch"
    )
    train, labels = learner.given.train, valid.catalog.labels
    assert isinstance(train, PictureSplit)
    counts = train.catalog.counts()
    device = next(model.parameters()).device
    try:
        to_bundle(
            model.cpu(),
            type(labels)(learner.given.targets.names),
            valid.preparation,
            path,
            views=valid.views,
            learned=learned,
            training={
                "backbone": learner.pictures.backbone if learner.pictures else "",
                "kept": "fine-tuned" if learner.history.epochs else "probe",
                "pictures": {name: counts.get(name, 0) for name in learner.given.targets.names},
                "recipe": learner.recipe.to_json(),
            },
            metrics={"accuracy": accuracy.to_json()},
        )
    finally:
        model.to(torch.device(device))
