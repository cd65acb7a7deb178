"""torch's random stream while training: a function of (seed, step); the user's own is left alone."""

from types import TracebackType
from typing import Any

import torch
from torch import nn

_GOLDEN = 0x9E3779B97F4A7C15  # 2**64 / golden ratio, odd: neighbouring steps get seeds far apart


class drawing:  # noqa: N801 (reads as a word: with drawing(stream, step))
    """Inside, torch draws what belongs to this step, and outside what it would have drawn anyway.

    Lending the stream for a whole run would be cheaper, but a generator that nobody finishes is ended whenever Python
    clears it away, and would then put an old state back amid somebody's draws.
    """

    __slots__ = ("before", "devices", "seed")

    def __init__(self, stream: int, step: int) -> None:
        """stream: a seed of 63 bits; step: from 0."""
        self.seed = (stream + step * _GOLDEN) & 0x7FFF_FFFF_FFFF_FFFF

    def __enter__(self) -> None:
        self.devices = generators()
        self.before = [device.get_state() for device in self.devices]
        for device in self.devices:
            device.manual_seed(self.seed)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for device, state in zip(self.devices, self.before, strict=True):
            device.set_state(state)


def may_draw(model: nn.Module, loss: Any) -> bool:
    """False only for networks of torch's own layers one after the other, none of which draws, and losses of ours.

    What is written by others may do anything. Seeding costs 2 % of a step of a tiny network.
    """
    of = getattr(loss, "func", loss)  # losses with settings are partials
    if not str(getattr(of, "__module__", "")).startswith(("ursa.", "torch.")):
        return True
    return any(type(module) not in _CALM for module in model.modules())


_CALM = {
    nn.Sequential, nn.Flatten, nn.Unflatten, nn.Identity, nn.Linear, nn.Bilinear, nn.Embedding,
    nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d,
    nn.LayerNorm, nn.GroupNorm, nn.InstanceNorm2d, nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Mish,
    nn.Sigmoid, nn.Tanh, nn.Hardswish, nn.Softplus, nn.Softmax, nn.LogSoftmax, nn.MaxPool2d, nn.AvgPool2d,
    nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d, nn.AdaptiveAvgPool1d, nn.AdaptiveMaxPool1d,
}  # fmt: skip


def generators() -> tuple[torch.Generator, ...]:
    """torch's own, and those of CUDA devices once they are in use."""
    return (torch.default_generator, *(torch.cuda.default_generators if torch.cuda.is_initialized() else ()))
