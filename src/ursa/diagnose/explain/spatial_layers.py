"""A network run once -> its layers whose outputs are maps of the picture, and how positions lie in them.

Layouts: "NCHW" and "NHWC" (feature maps), "NLC" (tokens of a transformer: some that are no place, then one a place).
"""

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ursa.errors import TrainingError, did_you_mean
from ursa.models.trace import hooked, undisturbed

SIDE = 4  # positions across, at least, where there is such a layer: a map of 2 x 2 tells quarters of a picture apart
MOST_PREFIX = 16  # tokens before those of the picture: class, distillation, registers (8 in the largest that timm has)
MIXERS = (nn.Dropout, nn.Softmax, nn.Linear, nn.Identity)  # what attention matrices pass through
HALVINGS = 5  # of the grid of patches, by which later stages may have merged them


@dataclass(frozen=True)
class SpatialLayer:
    """A layer whose output is a map of the picture."""

    name: str  # where it stands in the network, as `named_modules` says; "" is the network itself
    call: int  # which of the layer's calls, counted from 0: one activation may be used many times
    layout: str  # "NCHW", "NHWC" or "NLC"
    height: int  # positions
    width: int
    channels: int
    prefix: int = 0  # tokens before those of the picture

    def maps(self, output: Tensor) -> Tensor:
        """The layer's output -> [N, C, height, width]."""
        if self.layout == "NCHW":
            return output
        if self.layout == "NHWC":
            return output.permute(0, 3, 1, 2)
        places = output[:, self.prefix :].transpose(1, 2)
        return places.reshape(len(output), self.channels, self.height, self.width)

    def __str__(self) -> str:
        return f"{self.name or 'the whole network'} ({self.height} x {self.width} positions, {self.channels:,} numbers)"


@dataclass(frozen=True)
class LayerOutput:
    """What one call of one module gave."""

    name: str
    call: int
    module: nn.Module
    value: Tensor


@contextlib.contextmanager
def recorded(model: nn.Module, only: str | None = None) -> Iterator[list[LayerOutput]]:
    """The outputs of all modules (or of `only` one), in the order in which they were ready; gradients reach them.

    In evaluation mode, on the network as it is: parameters that are frozen are made to let gradients through meanwhile.
    """
    names = {module: name for name, module in model.named_modules() if only is None or name == only}
    found: list[LayerOutput] = []
    seen: dict[nn.Module, int] = {}

    def leave(module: nn.Module, _: object, __: object, result: object) -> None:
        call = seen[module] = seen.get(module, -1) + 1
        if isinstance(result, Tensor) and result.is_floating_point():
            found.append(LayerOutput(names[module], call, module, result))

    frozen = [p for p in model.parameters() if p.is_floating_point() and not p.requires_grad]
    with undisturbed(model), hooked(names, lambda *_: None, leave), torch.enable_grad():
        try:
            for parameter in frozen:
                parameter.requires_grad_(True)
            yield found
        finally:
            for parameter in frozen:
                parameter.requires_grad_(False)


def spatial_layers(outputs: list[LayerOutput], pictures: Tensor) -> list[tuple[SpatialLayer, Tensor]]:
    """Recorded outputs and the pictures that they are of -> the layers that are maps, in order, with their outputs."""
    high, wide = picture_sides(pictures)
    grid: tuple[int, int] | None = None
    found = []
    for output in outputs:
        layer = _layer_of(output, len(pictures), high, wide, grid)
        if layer is None:
            continue
        if layer.layout != "NLC":
            grid = layer.height, layer.width
        found.append((layer, output.value))
    return found


def last_spatial_layer(model: nn.Module, pictures: Tensor) -> SpatialLayer:
    """The last layer with a map that the outputs depend on: what Grad-CAM explains them by.

    Of a convolutional network, of one with windows (Swin) and of a transformer that averages its tokens that is its
    last feature map or block. Where only a class token is read, the other tokens have no say after the last attention:
    it is then the norm before that, as Gildenblat (pytorch-grad-cam) advises. At least SIDE positions across, where
    there is such a layer. Raises TrainingError where there is none.
    """
    with recorded(model) as outputs:
        result = model(pictures[:1].clone())
        logits = logits_of(result, model)
        score = (logits * torch.linspace(1, 2, logits.shape[1], device=logits.device)).sum()  # no two classes cancel
        layers = spatial_layers(outputs, pictures[:1])
        for least in (SIDE, 2):
            for layer, value in reversed(layers):
                if min(layer.height, layer.width) >= least and _matters(layer, value, score):
                    return layer
    raise TrainingError(
        f"no layer of {type(model).__name__} has a map of the picture that its outputs depend on",
        found=f"{len(layers)} layers with maps" if layers else "no output with a height and a width",
        fix="Grad-CAM explains networks with convolutions or attention; `pixels` and dense networks have no such layer",
    )


def named_layer(model: nn.Module, pictures: Tensor, name: str) -> SpatialLayer:
    """The layer of this name. Raises TrainingError where there is none, or where its output is no map."""
    with recorded(model) as outputs:
        model(pictures[:1].clone())
        layers = [layer for layer, _ in spatial_layers(outputs, pictures[:1])]
    known = [layer for layer in layers if layer.name == name]
    if not known:
        raise TrainingError(
            f"there is no layer {name!r} with a map", fix=did_you_mean(name, [one.name for one in layers])
        )
    return known[-1]


def logits_of(result: object, model: nn.Module) -> Tensor:
    """The one output [N, K] of a network. Raises TrainingError for another."""
    if isinstance(result, Tensor) and result.ndim == 2:
        return result
    found = f"a tensor {list(result.shape)}" if isinstance(result, Tensor) else type(result).__name__
    fix = "give a network with one output [N, K]; of several outputs, one that returns the one to explain"
    raise TrainingError(f"{type(model).__name__} does not give one number a class", found=found, fix=fix)


def picture_sides(pictures: Tensor) -> tuple[int, int]:
    """[N, C, H, W] or [N, H, W, C] -> height and width. Raises TrainingError for what is no pictures."""
    if pictures.ndim != 4 or not len(pictures):
        fix = "[N, 3, H, W], or what the network takes: [N, H, W, 3]"
        raise TrainingError("these are no pictures", found=f"a tensor {list(pictures.shape)}", fix=fix)
    channels_last = pictures.shape[3] in (1, 3, 4) and pictures.shape[1] not in (1, 3, 4)
    return (pictures.shape[1], pictures.shape[2]) if channels_last else (pictures.shape[2], pictures.shape[3])


def _layer_of(
    output: LayerOutput, count: int, high: int, wide: int, grid: tuple[int, int] | None
) -> SpatialLayer | None:
    shape = tuple(output.value.shape)
    if shape[0] != count:  # windows of attention, which lie in the batch
        return None
    if len(shape) == 4 and not _is_attention(output, grid):
        for layout, (h, w, channels) in (("NCHW", (*shape[2:], shape[1])), ("NHWC", (*shape[1:3], shape[3]))):
            if h >= 2 and w >= 2 and h <= high and w <= wide and abs(h * wide - w * high) < max(high, wide):
                return SpatialLayer(output.name, output.call, layout, h, w, channels)
    if len(shape) == 3 and grid is not None and _has_norm(output.module):
        for halved in range(HALVINGS):
            h, w = (math.ceil(side / 2**halved) for side in grid)
            if h >= 2 and w >= 2 and 0 <= shape[1] - h * w <= MOST_PREFIX:
                return SpatialLayer(output.name, output.call, "NLC", h, w, shape[2], shape[1] - h * w)
    return None


def _is_attention(output: LayerOutput, grid: tuple[int, int] | None) -> bool:
    """Whether it is [N, heads, L, L], how much each token attends to each: no map, though it has two sides."""
    return grid is not None and isinstance(output.module, MIXERS) and output.value.shape[2] >= grid[0] * grid[1]


def _has_norm(module: nn.Module) -> bool:
    """A norm of tokens, or a block with one: not the branches between them, whose outputs are only added to these."""
    return any("norm" in type(inner).__name__.lower() for inner in module.modules())


def _matters(layer: SpatialLayer, value: Tensor, score: Tensor) -> bool:
    """Whether the outputs depend on the places of its map."""
    if not value.requires_grad:
        return False
    (slope,) = torch.autograd.grad(score, value, retain_graph=True, allow_unused=True)
    return slope is not None and bool(layer.maps(slope).any())
