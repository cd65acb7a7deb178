"""A network -> the same network with new initial weights, such that signals neither fade nor explode on their way.

Weights are drawn with a variance that keeps the second moment of what flows through near 1, layer by layer: Glorot and
Bengio 2010, "Understanding the difficulty of training deep feedforward neural networks" (Xavier); He et al. 2015,
"Delving deep into rectifiers" (He).
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from ursa.core import seeds
from ursa.errors import TrainingError, did_you_mean
from ursa.models.built import Network

LAYERS = (
    nn.Linear,
    nn.Conv1d,
    nn.Conv2d,
    nn.Conv3d,
    nn.ConvTranspose1d,
    nn.ConvTranspose2d,
    nn.ConvTranspose3d,
)
SCHEMES = ("he", "xavier")

# Activation -> gain g with E f(g z)^2 = 1 for z standard normal: a second moment of 1 before the layer and its
# activation is one of 1 behind them.
RECTIFIERS: dict[type[nn.Module], float] = {
    nn.ReLU: math.sqrt(2),
    nn.ReLU6: math.sqrt(2),
    nn.LeakyReLU: math.sqrt(2),  # made exact for its slope below, PReLU too
    nn.PReLU: math.sqrt(2),
    nn.ELU: 1.278,
    nn.GELU: 1.468,
    nn.SiLU: 1.559,
    nn.Hardswish: 1.567,
    nn.Mish: 1.452,
}
# These never reach 1. Tanh: as torch's calculate_gain, 20 layers end at about 0.4. The others as in Glorot and Bengio.
SATURATING: dict[type[nn.Module], float] = {nn.Tanh: 5 / 3, nn.Sigmoid: 1.0, nn.Softsign: 1.0}


def initialize(model: Network, scheme: str | None = None, *, seed: int = 0) -> Network:
    """Draw the weights of all linear and convolution layers anew, set their biases to zero, return the model.

    scheme: `"he"`, variance gain^2 / inputs; `"xavier"`, gain^2 * 2 / (inputs + outputs); None, He before a rectifier
    (ReLU and its kin) and Xavier before anything else, the last layer among it. Which activation follows is read from
    the order in which the modules stand in the model. The same seed gives the same weights; torch's own random stream
    is left alone. Norms and everything else stay as they are. An activation that is called as a function in `forward`
    is not seen: name the scheme then. Raises TrainingError for an unknown scheme.
    """
    if scheme is not None and scheme not in SCHEMES:
        raise TrainingError(f"no initialisation is called {scheme!r}", fix=did_you_mean(str(scheme), SCHEMES))
    # Not the bare seed: a user who makes data with the same one would get the very numbers of the weights.
    draw = torch.Generator().manual_seed(seeds.number(seed, "initialise"))
    for layer, activation in followed(model):
        gain, rectifier = _gain(activation)
        fan_in, fan_out = _fans(layer)
        with torch.no_grad():
            weight = torch.empty(layer.weight.shape)
            if scheme == "he" or (scheme is None and rectifier):
                weight.normal_(0, gain / math.sqrt(fan_in), generator=draw)
            else:
                bound = gain * math.sqrt(6 / (fan_in + fan_out))
                weight.uniform_(-bound, bound, generator=draw)
            _set(layer.weight, weight)
            if layer.bias is not None:
                layer.bias.zero_()
    return model


def followed(model: nn.Module) -> list[tuple[Any, nn.Module | None]]:
    """The linear and convolution layers in order, each with the activation that stands before the next one, or None."""
    found: list[tuple[Any, nn.Module | None]] = []
    for module in model.modules():
        if isinstance(module, LAYERS):
            found.append((module, None))
        elif type(module) in RECTIFIERS.keys() | SATURATING.keys() and found and found[-1][1] is None:
            found[-1] = (found[-1][0], module)
    return found


def _gain(activation: nn.Module | None) -> tuple[float, bool]:
    """The gain, and whether the activation is a rectifier."""
    if isinstance(activation, nn.LeakyReLU):
        return math.sqrt(2 / (1 + activation.negative_slope**2)), True
    if isinstance(activation, nn.PReLU):
        return math.sqrt(2 / (1 + float(activation.weight.detach().float().mean()) ** 2)), True
    kind: type = type(activation)
    return RECTIFIERS.get(kind) or SATURATING.get(kind, 1.0), kind in RECTIFIERS


def _fans(layer: Any) -> tuple[int, int]:
    """How many numbers each output is summed from, and each input flows into."""
    groups = getattr(layer, "groups", 1)
    first, second, *window = layer.weight.shape
    inputs, outputs = (first // groups, second) if getattr(layer, "transposed", False) else (second, first // groups)
    return inputs * math.prod(window), outputs * math.prod(window)


def _set(parameter: Tensor, values: Tensor) -> None:
    if parameter.device.type != "meta":  # a network on the meta device has no numbers
        parameter.copy_(values)
