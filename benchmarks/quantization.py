"""What 8 and 16 bits cost in accuracy and win in time, by how many pictures give the ranges, and by network.

Accuracy: a probe on SqueezeNet, exported, on its validation pictures. Time: networks of random weights, one picture at
a time and in batches of 8, both models in turns; the first line is a model beside itself.
"""

import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from common import BACKBONE, SQUEEZENET, report, shared

import ursa
from ursa.core.prepare import Preparation, stacks
from ursa.embed.extractor import Extractor
from ursa.export.onnx import to_onnx
from ursa.export.quantization import to_fp16, to_int8
from ursa.serve.predictor import Predictor
from ursa.training.classifier import Classifier
from ursa.workflow.shipping import quantize as measuring

SIZE = 224
CALIBRATED = (16, 64, 128, 512)
NETWORKS = ("resnet18", "mobilenetv3_small_100", "efficientnet_b0", "convnext_atto", "vit_tiny_patch16_224")
Rows = list[list[object]]


def main() -> None:
    if sys.argv[1:] != ["time"]:
        accuracy()
    time()


def accuracy() -> None:
    rows: Rows = []
    for name in ("dogs_cats", "clothing"):
        rows += accuracies(name)
    report(
        "quantization",
        "Models of smaller numbers: accuracy",
        ["pictures", "model", "accuracy", "answers that change", "largest difference of a probability"],
        rows,
        "Of validation pictures of one split; SqueezeNet probe. 8 bits: weights have 7.",
    )


def time() -> None:
    report(
        "quantization_time",
        "Models of smaller numbers: time",
        ["network", "int8: one picture", "in batches of 8", "MB", "fp16: one picture", "in batches of 8", "MB"],
        [["a model beside itself", *beside_itself()], *(times(name) for name in NETWORKS)],
        "Times as fast as float32, all cores; `ursa export --int8` refuses what is no faster.",
    )


def accuracies(name: str) -> Rows:
    folder = shared(name)
    with tempfile.TemporaryDirectory() as place:
        options: dict[str, Any] = {"backbone": BACKBONE, "weights": SQUEEZENET, "workspace": Path(place) / "space"}
        out = Path(place) / "model.ursa"
        ursa.train(folder, **options, recipe=ursa.Recipe.of(epochs=0), out=out, progress=False)
        predictor = Predictor(out, trusted=True)
        judged, train = views(predictor, folder, Path(place), CALIBRATED[-1])
    seen, targets = judged
    before = predictor.probabilities(seen)
    model = predictor.bundle.parts["model.onnx"]
    ways: dict[str, Callable[[], bytes]] = {"float32": lambda: model, "fp16": lambda: to_fp16(model)}
    for count in CALIBRATED:
        rows = np.unique(np.linspace(0, len(train) - 1, count).round().astype(int))
        ways[f"int8, ranges from {count}"] = partial(calibrated, model, [train[row] for row in rows])
    found: Rows = []
    for way, made in ways.items():
        after = other(predictor, made()).probabilities(seen)
        right, changed = (after.argmax(1) == targets).mean(), (after.argmax(1) != before.argmax(1)).sum()
        found.append(
            [name, way, f"{100 * right:.1f} %", f"{changed} of {len(seen)}", f"{abs(after - before).max():.2g}"]
        )
    return found


def calibrated(model: bytes, views: list[Any]) -> bytes:
    return to_int8(model, stacks(views, 8))


def views(predictor: Predictor, folder: Path, place: Path, most: int) -> tuple[tuple[list[Any], Any], list[Any]]:
    """((what is judged, its classes), what was learned from), as the model sees it."""
    pictures = measuring._pictures(predictor, folder, place / "space", None, {})
    catalog = ursa.Catalog.from_folder(folder).labeled()
    known = predictor.bundle.pictures
    assert known is not None
    from ursa.data import scan

    keys = scan.hashed(catalog).rows["sha256"].to_list()
    learned = [file for file, part in zip(catalog.files(), known.part_of(keys), strict=True) if part == "train"]
    spread = np.unique(np.linspace(0, len(learned) - 1, most).round().astype(int))
    return (read(predictor, pictures.judged.files()), pictures.targets), read(
        predictor, [learned[row] for row in spread]
    )


def read(predictor: Predictor, files: list[Path]) -> list[Any]:
    return [predictor.view(file) for file in files]


def other(predictor: Predictor, model: bytes) -> Predictor:
    return Predictor(replace(predictor.bundle, parts={**predictor.bundle.parts, "model.onnx": model}), trusted=True)


def network(name: str) -> bytes:
    torch.manual_seed(0)
    body = timm.create_model(name, pretrained=False, num_classes=0).eval()
    features = body(torch.zeros(2, 3, SIZE, SIZE)).shape[1]
    return to_onnx(Classifier(Extractor(body, (0.5,) * 3, (0.5,) * 3, SIZE), features, 3).eval(), Preparation(SIZE))


def predictor_of(model: bytes) -> Predictor:
    from ursa.core.bundles.bundle import Bundle
    from ursa.core.labels import Labels

    return Predictor(Bundle(Labels(("a", "b", "c")), Preparation(SIZE), 1.0, {}, {"model.onnx": model}), trusted=True)


def faster(one: bytes, two: bytes) -> list[str]:
    noise = np.random.default_rng(0).integers(0, 256, (8, SIZE, SIZE, 3), np.uint8)
    before, after = measuring._milliseconds(predictor_of(one), predictor_of(two), noise)
    return [f"{before[0] / after[0]:.2f}", f"{before[1] / after[1]:.2f}"]


def beside_itself() -> list[str]:
    model = network("resnet18")
    size = f"{len(model) / 1e6:.1f}"
    return [*faster(model, model), size, *faster(model, model), size]


def times(name: str) -> list[str]:
    model = network(name)
    noise = np.random.default_rng(1).integers(0, 256, (32, SIZE, SIZE, 3), np.uint8)
    small, half = to_int8(model, stacks(list(noise), 8)), to_fp16(model)
    return [
        f"{name}, {len(model) / 1e6:.1f} MB",
        *(cell for made in (small, half) for cell in (*faster(model, made), f"{len(made) / 1e6:.1f}")),
    ]


if __name__ == "__main__":
    main()
