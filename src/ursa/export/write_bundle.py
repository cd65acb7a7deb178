"""Classifier -> bundle on disk, proven to predict what the learner predicts."""

import hashlib
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from ursa import seals
from ursa.core.bundles import bundle
from ursa.core.bundles.picture_hashes import PictureHashes
from ursa.core.decoding.image import Pixels
from ursa.core.labels import Labels
from ursa.core.prepare import Preparation
from ursa.core.tasks import SINGLE_LABEL
from ursa.embed.tensor_bytes import to_bytes
from ursa.errors import BundleError
from ursa.export.bundle_files import now, write
from ursa.export.card import card
from ursa.export.onnx import to_onnx
from ursa.export.parity import parity
from ursa.serve.predictor import Predictor
from ursa.training.tasks.target_scaling import InTargetUnits, TargetScaling

LIBRARIES = ("torch", "onnx", "onnxruntime", "numpy", "pillow")


def export(
    model: nn.Module,
    labels: Labels,
    preparation: Preparation,
    out: Path,
    *,
    views: Iterable[Pixels],
    learned: npt.NDArray[np.float32],
    training: Mapping[str, Any],
    metrics: Mapping[str, Any],
    compared_on: str = "pictures",
    pictures: PictureHashes | None = None,
    task: str = SINGLE_LABEL,
    scaling: TargetScaling | None = None,
    card_facts: Mapping[str, Any] | None = None,
) -> Predictor:
    """Write the bundle and return it as its users will load it.

    views [N] of [S, S, 3] and learned [N, K], the learner's probabilities or numbers for them, are what the exported
    model has to reproduce: when any differs by more than `parity.LIMIT`, nothing is written (BundleError). compared_on:
    what the views are made of, "pictures" or "thumbnails". pictures: what was learned from and judged on, so that
    nobody takes a figure on these for one on new pictures. task: what the network's outputs are; scaling: of a
    regression, whose numbers are learned in other units than they are given in. card_facts: further keys of the
    document, for the card. out: a path ending in `.ursa` for one file, any other for a folder;
    DataError when it cannot be written.
    """
    state = dict(model.state_dict())
    _require_finite(state)
    network = model if scaling is None else InTargetUnits(model, scaling)
    parts = {"model.onnx": to_onnx(network, preparation), "weights.safetensors": to_bytes(state)}
    trial = Predictor(bundle.Bundle(labels, preparation, 1.0, {"task": task}, parts), trusted=True)
    std = None if scaling is None else np.array(scaling.std, np.float32)
    agreed = parity(learned, trial.outputs(views), task, std)
    document = {
        "created": now(),
        "task": task,
        "classes": list(labels.names),
        "preparation": preparation.to_json(),
        "temperature": 1.0,
        "metrics": dict(metrics),
        "training": dict(training),
        **({} if pictures is None else {"pictures": pictures.to_json()}),
        **(card_facts or {}),
        "parity": {compared_on: agreed.pictures, "difference": agreed.difference},
        "seal": seals.seal("model.onnx", hashlib.sha256(parts["model.onnx"]).hexdigest().encode()),
        "versions": {"ursa": version("ursa-learn"), **{name: version(name) for name in LIBRARIES}},
    }
    hashes = {"model.onnx": hashlib.sha256(parts["model.onnx"]).hexdigest()}
    parts["card.md"] = card({**document, "parts": hashes}).encode()
    content = bundle.manifest(document, parts)
    bundle.require_readable(content)  # a bundle that no reader takes is not written
    write(out, {bundle.MANIFEST: content, **parts})
    return Predictor(out, trusted=True)


def _require_finite(state: Mapping[str, Tensor]) -> None:
    broken = [name for name, tensor in state.items() if not tensor.isfinite().all()]
    if broken:
        found = f"NaN or infinite numbers in {broken[0]}{f' and {len(broken) - 1} more' if len(broken) > 1 else ''}"
        raise BundleError("the weights are not finite, so no bundle was written", found=found, fix="train it again")
