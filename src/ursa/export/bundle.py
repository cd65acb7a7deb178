"""Classifier -> bundle on disk, proven to predict what the learner predicts."""

import datetime
import zipfile
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ursa import workspace
from ursa.core import bundle
from ursa.core.image import Pixels
from ursa.core.labels import Labels
from ursa.core.prepare import Preparation
from ursa.errors import BundleError
from ursa.export.card import card
from ursa.export.onnx import to_onnx
from ursa.export.parity import parity
from ursa.serve.predictor import Predictor
from ursa.training.models import Classifier

LIBRARIES = ("torch", "onnx", "onnxruntime", "numpy", "pillow")


def export(
    model: Classifier,
    labels: Labels,
    preparation: Preparation,
    out: Path,
    *,
    views: Iterable[Pixels],
    learned: npt.NDArray[np.float32],
    training: Mapping[str, Any],
    metrics: Mapping[str, Any],
) -> Predictor:
    """Write the bundle and return it as its users will load it.

    views [N] of [S, S, 3] and learned [N, K], the learner's probabilities for them, are what the exported model has to
    reproduce: when any differs by more than `parity.LIMIT`, nothing is written (BundleError). out: a path ending in
    `.ursa` for one file, any other for a folder; DataError when it cannot be written.
    """
    from safetensors.torch import save

    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    parts = {"model.onnx": to_onnx(model, preparation), "weights.safetensors": save(state)}
    trial = Predictor(bundle.Bundle(labels, preparation, 1.0, {}, parts))
    agreed = parity(learned, trial.probabilities(views))
    document = {
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "classes": list(labels.names),
        "preparation": preparation.to_json(),
        "temperature": 1.0,
        "metrics": dict(metrics),
        "training": dict(training),
        "parity": {"pictures": agreed.pictures, "difference": agreed.difference},
        "versions": {"ursa": version("ursa-learn"), **{name: version(name) for name in LIBRARIES}},
    }
    parts["card.md"] = card(document).encode()
    write(out, {bundle.MANIFEST: bundle.manifest(document, parts), **parts})
    return Predictor(out)


def write(out: Path, files: Mapping[str, bytes]) -> None:
    """A `.ursa` file, in one piece; or a folder, whose manifest comes last, so that half a folder is no bundle."""
    if out.suffix == ".ursa":
        if out.is_dir():
            raise BundleError(f"{out} is a folder", fix="choose another name for the bundle")
        with workspace.writing(out) as file, zipfile.ZipFile(file, "w") as archive:
            for name, data in files.items():
                archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)
        return
    for name in sorted(files, key=lambda name: name == bundle.MANIFEST):
        with workspace.writing(out / name) as file:
            file.write(files[name])
