"""The worst mistakes of a run -> where the kept model saw the wrong class in them, for the report."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ursa.diagnose.judged import Judged
from ursa.diagnose.report import MistakeMaps
from ursa.errors import TrainingError

if TYPE_CHECKING:
    from ursa.core.prepare import Preparation
    from ursa.diagnose.explain.sanity_check import SanityCheck
    from ursa.training.classifier import Classifier

COUNT = 12  # as many as the report shows; 0.1 to 0.3 s each, forward and back


@dataclass(frozen=True)
class TopLossMaps(MistakeMaps):
    """Pictures with maps of the class that was predicted wrongly; none where such maps cannot be believed."""

    check: "SanityCheck | None" = None


def top_loss_maps(
    model: "Classifier", judged: Judged, preparation: "Preparation", count: int = COUNT, *, seed: int = 0
) -> TopLossMaps:
    """Grad-CAM of the `count` mistakes with the highest loss, each of the class that was predicted.

    Reads these pictures. Without mistakes, without a layer that is a map (`pixels`), and where random weights do not
    destroy the maps there are no overlays, and the note says why.
    """
    from ursa.diagnose.explain.cam import grad_cam
    from ursa.diagnose.explain.overlays import overlays
    from ursa.learner.interpretation.looked_at import single_view
    from ursa.training.batches.picture_batches import Views

    worst = judged.top_losses(count)
    if not worst:
        return TopLossMaps(note="There are no mistakes to look into.")
    at = {id: row for row, id in enumerate(judged.catalog.ids)}
    rows = [at[id] for id, *_ in worst]
    part = replace(judged.catalog, rows=judged.catalog.rows[rows])
    views = np.stack(list(Views(part, preparation)))
    targets = [judged.labels.names.index(predicted) for _, _, predicted, _ in worst]
    try:
        found = grad_cam(single_view(model), views, targets, seed=seed)
    except TrainingError as problem:
        return TopLossMaps(note=f"Where the model looks is not shown: {problem.what}.")
    if found.check is None or not found.check.passed:
        return TopLossMaps(note=f"Where the model looks is not shown: {found.check}.", check=found.check)
    drawn = overlays(views, found.maps)
    note = f"The second pictures are Grad-CAM's, for the predicted class. {found.note}."
    return TopLossMaps(dict(zip(part.ids, drawn, strict=True)), note, found.check)
