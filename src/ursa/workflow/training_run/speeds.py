"""How fast this machine is at a run's parts: a sample of the pictures goes through each of them, timed."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from ursa.core.bundles import bundle
from ursa.core.labels import Labels
from ursa.core.prepare import Preparation
from ursa.data.catalog import Catalog
from ursa.embed.engine import Engine, dtype_of
from ursa.recipe import Recipe

if TYPE_CHECKING:
    from ursa.training.classifier import Classifier

SIZES = (128, 160, 192, 224)  # pixels of the pictures that may be learned from; each 1.2 to 1.6 times the work
SAMPLE = 32  # pictures that are decoded and taken forward
STEPS = 2  # of training, a batch each; the faster one counts, as the first one allocates memory
LEISURE, HURRY = 0.8, 0.7  # shares of the time left from which on training is timed at two sizes, at one, not at all
BACKWARD = 3.0  # times a forward pass is a step of training, where it is not timed
ENOUGH = 1.0  # seconds of steps after which no further one is timed


@dataclass(frozen=True)
class Speed:
    """What one backbone costs here."""

    backbone: str
    own: int  # pixels: pictures of this size are embedded, judged and served
    embed: float  # seconds a picture: reading, decoding, forward
    predict: float  # seconds a picture: reading, decoding, forward in float32
    steps: Mapping[int, float]  # seconds a picture of training, by size of the pictures learned from
    export: float  # seconds of writing the model
    exported: float  # seconds a picture of predicting with what was written
    megabytes: float = 0.0  # of what was written


def measured(catalog: Catalog, engine: Engine, recipe: Recipe, left: Callable[[], float]) -> Speed | None:
    """Time the parts of a run on a sample. None where not one picture of the sample can be used.

    Trains a copy that is thrown away; nothing is stored. left: share of the time that is left, so that on a slow
    machine less is measured. Costs 3 to 6 seconds beside the imports, which a run needs anyway.
    """
    from ursa.training.batches.picture_batches import Views
    from ursa.training.classifier import Classifier
    from ursa.training.fine_tuning import predict

    own, preparation = engine.about.size, engine.about.preparation
    sample = catalog.where(pl.col("label").is_not_null())
    sample = _picked(sample, range(0, len(sample), max(1, len(sample) // SAMPLE)))
    engine(preparation.blank(1))  # loads weights, chooses the precision
    if engine.runtime.wanted == "openvino":
        for _ in engine.embedded(sample.files()[:1], known=lambda _: False):  # compiles: not for each picture
            pass
    with _timed() as embedding:
        facts = [fact for chunk in engine.embedded(sample.files(), known=lambda _: False) for fact in chunk.facts]
    sample = _picked(sample, [i for i, fact in enumerate(facts) if fact.problem is None])
    if not len(sample):
        return None
    labels = catalog.labels
    extractor = engine.backbone.load()
    model = Classifier(extractor, engine(preparation.blank(1)).shape[1], len(labels), recipe.augment.tta).to(
        engine.device
    )
    views = Views(sample, preparation)
    with _timed() as predicting:
        predict(model, views)
    export, exported, megabytes = _export(model, labels, preparation, views)
    least = min(SIZES[0], own)
    steps: dict[int, float | None] = {}
    if left() >= HURRY:
        steps[least] = _step(model, sample, labels, engine, replace(preparation, size=least), recipe)
    if own > least and steps and (left() >= LEISURE or steps[least] is None):
        steps[own] = _step(model, sample, labels, engine, preparation, recipe)
    if not steps:
        steps[own] = BACKWARD * predicting() / len(sample)
    return Speed(
        backbone=engine.backbone.name,
        own=own,
        embed=embedding() / len(facts),
        predict=predicting() / len(sample),
        steps=between({size: seconds for size, seconds in steps.items() if seconds is not None}, own),
        export=export,
        exported=exported,
        megabytes=megabytes,
    )


def between(known: Mapping[int, float], own: int) -> dict[int, float]:
    """Seconds at the smallest and the largest size -> at each of SIZES between them too: linear in the area.

    Where only the smallest is known the others cost as many times more as they are larger, which is rather too much.
    """
    low, high = min(known), max(known)
    slope = (known[high] - known[low]) / (high**2 - low**2) if high > low else known[low] / low**2
    sizes = sorted({low, own, *(size for size in SIZES if low < size < own)})
    return {size: known.get(size, known[low] + slope * (size**2 - low**2)) for size in sizes}


def _step(
    model: "Classifier", sample: Catalog, labels: Labels, engine: Engine, preparation: Preparation, recipe: Recipe
) -> float | None:
    """Seconds a picture of training. None where the network takes no pictures of this size."""
    from ursa.training.batches.picture_batches import PictureBatches
    from ursa.training.loop import State, train
    from ursa.training.optim.data_parallel import gradients
    from ursa.training.optim.layer_lrs import adamw
    from ursa.training.tasks.losses import smoothed

    optim, size = recipe.optim, min(recipe.optim.batch_size, len(sample))
    batches = PictureBatches(
        sample,
        sample.targets(labels),
        preparation,
        batch_size=size,
        seed=recipe.seed,
        augment=replace(recipe.augment, progressive_resizing=0.0),
        device=engine.device,
        classes=len(labels),
    )
    model.requires_grad_(True)
    precision = dtype_of(engine.precision)
    seconds, last = [], time.perf_counter()
    try:
        optimizer = adamw(model, optim.head_lr, optim.body_lr, optim.layer_decay, optim.weight_decay)
        with gradients(engine.device, precision, optim.micro_batch_size) as gradient:
            loss, norm = smoothed(optim.label_smoothing), optim.max_grad_norm
            for step in train(
                State(model, optimizer), batches, STEPS, loss, gradient=gradient, max_grad_norm=norm, seed=recipe.seed
            ):
                float(step.loss)  # waits for the device
                seconds.append(time.perf_counter() - last)
                last += seconds[-1]
                if len(seconds) == STEPS or sum(seconds) > ENOUGH:
                    break
    except (RuntimeError, AssertionError, ValueError):  # how networks refuse a size that they were not made for
        if preparation.size == engine.about.size:
            raise
        return None
    finally:
        model.requires_grad_(False).eval()
    return min(seconds) / size


def _export(model: "Classifier", labels: Labels, preparation: Preparation, views: Any) -> tuple[float, float, float]:
    """Seconds of writing the model, and a picture of predicting with it; its megabytes."""
    from ursa.export.onnx import to_onnx
    from ursa.serve.predictor import Predictor

    device = next(model.parameters()).device
    with _timed() as writing:
        parts = {"model.onnx": to_onnx(model.cpu(), preparation)}
        trial = Predictor(bundle.Bundle(labels, preparation, 1.0, {}, parts), trusted=True)
    model.to(device)
    with _timed() as predicting:
        trial.probabilities(views)
    return writing(), predicting() / len(views), len(parts["model.onnx"]) / 1e6


def _picked(catalog: Catalog, rows: "range | list[int]") -> Catalog:
    return replace(catalog, rows=catalog.rows[np.array(rows, np.int64)])


@contextlib.contextmanager
def _timed() -> Iterator[Callable[[], float]]:
    """Seconds that the block took, to be asked for after it."""
    start, end = time.perf_counter(), 0.0

    def seconds() -> float:
        return end - start

    yield seconds
    end = time.perf_counter()
