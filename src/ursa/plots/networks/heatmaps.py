"""Pictures beside the same pictures with maps laid over them: where a network looks, where a unit responds."""

from collections.abc import Sequence

from ursa.core.decoding.image import Pixels
from ursa.errors import DataError
from ursa.plots.figure import Figure
from ursa.plots.grid import grid
from ursa.plots.reading import Tile

FEW = 4  # pictures that stand one below the other, as large as a phone shows two side by side
MOST = 32


def heatmaps(pictures: Pixels, overlays: Pixels, titles: Sequence[str], note: str = "") -> Figure:
    """pictures and overlays [N, S, S, 3], a title each -> pairs of both, one pair a row where there are few.

    note: a line under them. Raises DataError for other numbers of them, and for none or more than a figure holds.
    """
    if not len(pictures) == len(overlays) == len(titles) or not 1 <= len(pictures) <= MOST:
        found = f"{len(pictures)} pictures, {len(overlays)} overlays, {len(titles)} titles"
        raise DataError(f"a figure holds 1 to {MOST} pictures, each with overlay and title", found=found)
    pairs = zip(pictures, overlays, titles, strict=True)
    tiles = [tile for one, over, title in pairs for tile in (Tile(one, title), Tile(over))]
    return grid(tiles, 2 if len(pictures) <= FEW else 4, note)
