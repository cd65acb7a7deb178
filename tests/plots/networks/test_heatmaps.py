"""Pictures beside their maps, with titles that can be read."""

import numpy as np
import pytest

from ursa.errors import DataError
from ursa.plots.networks.heatmaps import MOST, heatmaps


@pytest.mark.parametrize("count", [1, 4, 5, 12])
def test_each_picture_stands_beside_its_map(count, legible):
    pictures = np.full((count, 32, 32, 3), 90, np.uint8)
    figure = heatmaps(pictures, pictures + 40, [f"class {k} 97 %" for k in range(count)], "Bright speaks for it")
    assert {f"class {k} 97 %" for k in range(count)} <= set(legible(figure))
    shown = [axes.images[0].get_array() for axes in figure.axes]
    assert [int(np.asarray(one).flat[0]) for one in shown] == [90, 130] * count


@pytest.mark.parametrize("counts", [(0, 0, 0), (1, 2, 1), (1, 1, 2), (MOST + 1,) * 3])
def test_other_numbers_are_refused(counts):
    one, other = (np.zeros((count, 8, 8, 3), np.uint8) for count in counts[:2])
    with pytest.raises(DataError, match="1 to 32 pictures"):
        heatmaps(one, other, [""] * counts[2])
