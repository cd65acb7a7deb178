"""Listed pictures and a setup that names no backbone -> the default one, or for small pictures one without weights.

Only where the default's weights are not to be had, which loading them tells, are the sizes of pictures looked at.
"""

from dataclasses import replace

import numpy as np
import polars as pl

from ursa.core.prepare import Preparation
from ursa.data import scan
from ursa.data.catalog import Catalog
from ursa.embed import resize
from ursa.embed.backbone import Backbone
from ursa.embed.pretrained.without_weights import NoWeightsError
from ursa.prepared.setup import Setup, note
from ursa.workspace import Workspace

FIXED, LEARNED = "pixels", "small_cnn"
SMALL = 64  # pixels, the longer side of what they see whole; in the median, so that a few others change nothing
# Pictures from which on the network learns more than fixed features give. Of MNIST: with 100 pictures 75.8 and 79.5 %,
# with 300 91.8 and 91.9 %, with 1,000 96.4 and 95.4 % (docs/decisions.md).
ENOUGH = 500
SAMPLE = 64  # pictures whose sizes are looked at, where they are not known


def with_backbone(setup: Setup, catalog: Catalog, space: Workspace, *, trains: bool) -> Setup:
    """The setup itself, where a backbone was named or the default one can be had.

    Where its weights are neither here nor to be fetched, small pictures get `pixels`, or where the command trains and
    there are enough of them `small_cnn`, which is said. Of others NoWeightsError is raised, with both ways out.
    """
    if setup.named or setup.weights is not None:
        return setup
    try:
        Backbone(setup.backbone).describe(space)
    except NoWeightsError:
        side = median_side(catalog)
        if side is None or side > SMALL:
            raise
        backbone = LEARNED if trains and len(catalog) >= ENOUGH else FIXED
        how = "a small network learns them from scratch" if backbone == LEARNED else "fixed features do for them"
        note(
            f"The weights of {setup.backbone} are not to be had here. The pictures are small ({side:.0f} px in the "
            f"median), so {how}: --backbone {backbone}"
        )
        return replace(setup, backbone=backbone)
    return setup


def median_side(catalog: Catalog) -> float | None:
    """The median of the pictures' longer sides, pixels, of a sample where they are not scanned; None of no picture."""
    known = catalog.rows.select(pl.max_horizontal("width", "height").drop_nulls()).to_series()
    if not len(known) and len(catalog):
        rows = np.unique(np.linspace(0, len(catalog) - 1, SAMPLE).round().astype(int))
        files = catalog.files()
        facts, _ = scan.read_files([files[row] for row in rows], Preparation(SMALL), resize.fastest())
        known = pl.Series([max(fact.width, fact.height) for fact in facts if fact.width and fact.height])
    return None if not len(known) else float(np.median(known.to_numpy()))
