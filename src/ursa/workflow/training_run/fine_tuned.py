"""The probe of a run -> what fine-tuning from it came to."""

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from ursa.embed.engine import dtype_of
from ursa.prepared.setup import Prepared, Setup
from ursa.recipe import Recipe
from ursa.workflow.training_run.held_out import HeldOut
from ursa.workflow.training_run.minutes import Plan

if TYPE_CHECKING:
    from ursa.training.checkpoints.checkpoint_folder import Checkpoints
    from ursa.training.fine_tuning import Outcome
    from ursa.training.fit import Observer

LARGE = 1_000_000  # pixels of a picture on average, from which on decoded ones are kept for the next epoch


def fine_tuned(
    held_out: HeldOut,
    recipe: Recipe,
    setup: Setup,
    plan: Plan | None,
    checkpoints: "Checkpoints | None",
    observers: "list[Observer]",
) -> "Outcome":
    """From the probe, with a limit of time on pictures of the plan's size; decoded ones are kept where that pays."""
    from ursa.training.batches.picture_batches import PictureBatches, Views, side_for
    from ursa.training.batches.picture_reader import cached
    from ursa.training.classifier import Classifier
    from ursa.training.fine_tuning import fine_tune

    ready, parts, engine = held_out.ready, held_out.parts, held_out.ready.engine
    preparation = engine.about.preparation
    model = Classifier.from_probe(engine.backbone.load(), held_out.head, recipe.augment.tta).to(setup.device)
    at = preparation if plan is None else replace(preparation, size=plan.size)  # of the pictures learned from
    targets, classes = parts.learn.targets(parts.labels), len(parts.labels)
    room = _room_for_pixels(ready, recipe, setup)
    with (
        cached(ready.space, side_for(at, recipe.augment.min_scale), at.fit, room * 3 // 4) as of_learn,
        cached(ready.space, preparation.size, preparation.fit, room // 4) as of_valid,
    ):
        batches = PictureBatches(
            parts.learn,
            targets,
            at,
            batch_size=recipe.optim.batch_size,
            seed=recipe.seed,
            augment=recipe.augment,
            oversample=recipe.optim.oversample,
            epochs=recipe.optim.epochs,
            device=setup.device,
            cache=of_learn,
            classes=classes,
        )
        return fine_tune(
            model,
            batches,
            Views(parts.valid, preparation, of_valid),
            parts.valid.targets(parts.labels),
            recipe.optim,
            seed=recipe.seed,
            settings=recipe.run_settings(),
            before=held_out.stored(parts.valid),
            precision=dtype_of(engine.precision),
            deadline=None if plan is None else plan.deadline(len(parts.valid), parts.aside, recipe.optim.batch_size),
            checkpoints=checkpoints,
            observers=observers,
            progress=setup.progress,
        )


def _room_for_pixels(ready: Prepared, recipe: Recipe, setup: Setup) -> int:
    """Bytes for decoded pictures in the workspace; none where decoding again costs little.

    Beside a step on a CPU it does for pictures of less than a megapixel (docs/benchmarks.md, files to batches).
    """
    pixels = ready.catalog.usable().rows.select(pl.col("width") * pl.col("height")).to_series().mean()
    slow = setup.device != "cpu" or float(str(pixels or 0)) >= LARGE
    room = min(int(setup.cache_gb * 1e9), shutil.disk_usage(ready.space.root).free // 4)
    return room if slow and recipe.optim.epochs > 1 else 0
