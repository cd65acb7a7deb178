"""What layers have learned: filters of the first one, activations layer by layer, what excites a unit most."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from ursa.diagnose.explain.spatial_layers import SpatialLayer, named_layer, recorded, spatial_layers
from ursa.errors import DataError, TrainingError

F32 = npt.NDArray[np.float32]

MOST_LAYERS = 6  # shown of one picture


@dataclass(frozen=True)
class Activations:
    """What one layer makes of one picture."""

    layer: SpatialLayer
    maps: F32  # [C, h, w]


@dataclass(frozen=True)
class TopActivations:
    """The examples that excite one unit (a channel of a layer) most, the most exciting first."""

    layer: SpatialLayer
    unit: int
    rows: npt.NDArray[np.int64]  # [M] of the examples
    values: F32  # [M] the largest response in each
    maps: F32  # [M, h, w] where it responds, in the unit's own numbers


def filters(model: nn.Module) -> F32:
    """The kernels of the first convolution, [F, C, k, k]. Raises TrainingError where there is none of 2 x 2 or more."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Conv2d) and min(module.kernel_size) > 1:
            weight: F32 = module.weight.detach().float().cpu().numpy()
            if not np.isfinite(weight).all():
                raise TrainingError(f"the filters of {name} are not finite", fix="train it again with a lower rate")
            return weight
    fix = "networks that begin with convolutions or with patches have filters to look at"
    raise TrainingError(f"{type(model).__name__} has no filters to show", found="no convolution", fix=fix)


def activations(model: nn.Module, picture: Tensor, most: int = MOST_LAYERS) -> tuple[Activations, ...]:
    """A single picture [1, ...] as the network takes it -> what its layers make of it, first layers first.

    Of the layers with maps the last ones before the map shrinks, and as many more as make `most`, evenly spaced.
    Raises TrainingError where there is no such layer.
    """
    with recorded(model) as outputs:
        model(picture.clone())
        found = [(layer, value.detach()) for layer, value in spatial_layers(outputs, picture) if not _is_input(layer)]
        if not found:
            raise TrainingError(f"no layer of {type(model).__name__} has a map of the picture")
        chosen = _spaced([layer for layer, _ in found], most)
        return tuple(
            Activations(found[at][0], found[at][0].maps(found[at][1])[0].float().cpu().numpy()) for at in chosen
        )


def top_activations(
    model: nn.Module, batches: Iterable[Tensor], unit: int, layer: SpatialLayer, count: int = 9
) -> TopActivations:
    """Batches of pictures as the network takes them -> the `count` with the largest response of a unit at a layer.

    Raises DataError for a unit that the layer does not have, and where there is no picture.
    """
    if not 0 <= unit < layer.channels:
        fix = f"a number from 0 to {layer.channels - 1}"
        raise DataError(f"{layer.name} has no unit {unit}", found=f"{layer.channels:,} units", fix=fix)
    if count < 1:
        raise DataError("there is nothing to show", found=f"count={count}", fix="1 or more")
    best: list[tuple[float, int, F32]] = []
    seen = 0
    for batch in batches:
        maps = _unit(model, batch, unit, layer)
        best += [(float(one.max()), seen + row, one) for row, one in enumerate(maps)]
        best = sorted(best, key=lambda each: (-each[0], each[1]))[:count]
        seen += len(batch)
    if not best:
        raise DataError("there is no picture that could excite a unit", fix="give at least one")
    values, rows, found = zip(*best, strict=True)
    return TopActivations(layer, unit, np.array(rows), np.array(values, np.float32), np.stack(found))


def unit_layer(model: nn.Module, pictures: Tensor, name: str | None) -> SpatialLayer:
    """The layer of this name, or the last one with maps."""
    if name is not None:
        return named_layer(model, pictures, name)
    with recorded(model) as outputs:
        model(pictures[:1].clone())
        layers = [layer for layer, _ in spatial_layers(outputs, pictures[:1])]
    if not layers:
        raise TrainingError(f"no layer of {type(model).__name__} has a map of the picture")
    return layers[-1]


def _unit(model: nn.Module, batch: Tensor, unit: int, layer: SpatialLayer) -> F32:
    with recorded(model, only=layer.name) as outputs, torch.no_grad():
        model(batch.clone())
        value = next(output.value for output in outputs if output.call == layer.call)
        maps: F32 = layer.maps(value)[:, unit].float().cpu().numpy()
    return maps


def _is_input(layer: SpatialLayer) -> bool:
    return layer.channels <= 3


def _spaced(layers: list[SpatialLayer], most: int) -> list[int]:
    """Places: of each resolution the last layer, then those in the middle of the widest gaps, `most` of them."""
    ends = [at for at in range(len(layers)) if at + 1 == len(layers) or layers[at + 1].height != layers[at].height]
    chosen = sorted(ends[-most:])
    while len(chosen) < min(most, len(layers)):
        gaps = [(b - a, a) for a, b in zip([-1, *chosen], chosen, strict=False)]
        wide, start = max(gaps)
        if wide < 2:
            break
        chosen = sorted([*chosen, start + wide // 2])
    return chosen
