"""What a run keeps -> its bundle, proven to predict the same."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ursa.core.decoding.image import Pixels
from ursa.core.finding import Finding
from ursa.prepared.setup import Prepared
from ursa.prepared.splitting import Parts
from ursa.recipe import Recipe
from ursa.serve.predictor import Predictor
from ursa.workflow.training_run.measured_parts import MeasuredParts

if TYPE_CHECKING:
    from ursa.training.fine_tuning import Outcome


def exported(
    outcome: "Outcome",
    measured: MeasuredParts,
    training: Finding | None,
    ready: Prepared,
    parts: Parts,
    recipe: Recipe,
    out: Path,
) -> Predictor:
    """Write the bundle; refused unless it predicts what the learner predicts. training: the verdict, for the card.

    A fine-tuned model is compared on validation pictures, by the answers that judged it. Of a probe no picture was read
    to judge it, and none is for this: it is compared on views made of the scan's thumbnails.
    """
    from ursa.export.card_facts import card_facts
    from ursa.export.parity import COMPARED, stand_ins
    from ursa.export.write_bundle import export
    from ursa.training.batches.picture_batches import Views
    from ursa.training.fine_tuning import predict

    counts, preparation = parts.learn.counts(), ready.engine.about.preparation
    thumbnails = parts.valid.rows["thumbnail"].drop_nulls().to_list()
    if outcome.kept == "probe" and thumbnails:
        views: Iterable[Pixels] = stand_ins(thumbnails, preparation.size, recipe.seed)
        learned, compared_on = predict(outcome.model, views), "thumbnails"
    else:
        rows = np.unique(np.linspace(0, len(parts.valid) - 1, min(COMPARED, len(parts.valid))).round().astype(int))
        views, compared_on = Views(replace(parts.valid, rows=parts.valid.rows[rows]), preparation), "pictures"
        learned = outcome.after[rows] if outcome.kept == "fine-tuned" else predict(outcome.model, views)
    return export(
        outcome.model.cpu(),
        parts.labels,
        preparation,
        out,
        views=views,
        learned=learned,
        training={
            "backbone": ready.engine.backbone.name,
            "kept": outcome.kept,
            "pictures": {name: counts.get(name, 0) for name in parts.labels.names},
            "recipe": recipe.to_json(),
        },
        metrics={"accuracy": measured.judged.accuracy.to_json(), "probe": measured.judged.probe.to_json()},
        compared_on=compared_on,
        pictures=parts.hashes(),
        card_facts=card_facts(measured.judged, training, measured.gaps),
    )
