"""A learner's network and examples -> figures of its filters, of what its layers make of a picture, of a unit."""

from collections.abc import Iterator

import numpy as np
from torch import Tensor, nn

from ursa.core.decoding.image import Pixels
from ursa.diagnose.explain import responses
from ursa.diagnose.explain.cam import enlarged
from ursa.diagnose.explain.overlays import overlays
from ursa.diagnose.explain.responses import TopActivations
from ursa.learner.interpretation.looked_at import Examples, of_rows, single_view
from ursa.plots.figure import Figure
from ursa.plots.networks import layer_figures
from ursa.plots.networks.heatmaps import heatmaps
from ursa.training.batches.learner_data import LearnerData
from ursa.training.batches.splits import Split

AT_ONCE = 32  # pictures in a forward pass


def show_filters(model: nn.Module) -> Figure:
    """The kernels of the first convolution."""
    return layer_figures.filters(responses.filters(model))


def show_activations(model: nn.Module, seen: Examples) -> Figure:
    """What layers make of one picture, the first layers first."""
    found = responses.activations(single_view(model), seen.inputs[:1])
    picture = None if seen.pixels is None else seen.pixels[0]
    return layer_figures.activations(picture, [one.maps for one in found], [one.layer.name for one in found])


def top_activations(
    model: nn.Module, data: LearnerData, split: Split, unit: int, layer: str | None, count: int
) -> TopActivations:
    """The examples of a split that excite a unit of a layer most."""
    network, first = single_view(model), of_rows(data, split, np.arange(1))
    at = responses.unit_layer(network, first.inputs, layer)

    def batches() -> Iterator[Tensor]:
        for batch in split.in_order(AT_ONCE):
            yield batch.inputs[0]

    return responses.top_activations(network, batches(), unit, at, count)


def show_top_activations(data: LearnerData, split: Split, found: TopActivations) -> Figure:
    """Those examples beside where the unit responds."""
    seen = of_rows(data, split, found.rows)
    pixels: Pixels = seen.shown()
    maps = np.clip(found.maps, 0, None)
    over = overlays(pixels, enlarged(maps, pixels.shape[1:3]))
    ids = seen.ids or tuple(f"row {row}" for row in found.rows.tolist())
    titles = [f"{value:.3g}  {id}" for value, id in zip(found.values, ids, strict=True)]
    return heatmaps(pixels, over, titles, f"Unit {found.unit} of {found.layer.name}: its largest responses")
