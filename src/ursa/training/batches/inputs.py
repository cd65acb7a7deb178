"""Arrays as people hold them -> tensors as networks want them, standardized by the training part's statistics.

What was measured on the training part is kept (`InputScaling`), and the same is done to whatever is predicted later.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ursa.data.sources.class_names import in_numpy
from ursa.errors import DataError

COLORS = (1, 3)


@dataclass(frozen=True)
class Scaling:
    """How one input is made ready: (x - mean) / std, one number for all of it, or one for each channel."""

    kind: str  # "pictures": [N, H, W] or [N, H, W, C] become [N, C, H, W]; "numbers"; "indices", which stay as they are
    mean: tuple[float, ...] = (0.0,)  # [1], or one for each of the second axis
    std: tuple[float, ...] = (1.0,)

    def of(self, x: Tensor) -> Tensor:
        """[N, ...] as it was given -> float32 (indices: int64), as the network gets it."""
        if self.kind == "indices":
            return x.long()
        x = colors_first(x) if self.kind == "pictures" else x
        shape = (1, -1) + (1,) * (x.ndim - 2)
        mean, std = (torch.tensor(v, device=x.device).view(shape) for v in (self.mean, self.std))
        return (x.float() - mean) / std

    def undo(self, x: Tensor, shape: tuple[int, ...]) -> Tensor:
        """As the network gets it -> as it was given, an example being of this shape; pictures are uint8 again."""
        if self.kind == "indices":
            return x
        along = (1, -1) + (1,) * (x.ndim - 2)
        mean, std = (torch.tensor(v, device=x.device).view(along) for v in (self.mean, self.std))
        x = x * std + mean
        if self.kind != "pictures":
            return x
        x = x.round().clamp(0, 255).byte()
        return x[:, 0] if len(shape) == 2 else x if shape == tuple(x.shape[1:]) else x.permute(0, 2, 3, 1)


@dataclass(frozen=True)
class InputScaling:
    """How all inputs of a network are made ready."""

    scalings: tuple[Scaling, ...]
    shapes: tuple[tuple[int, ...], ...]  # of one example of each, as it was given

    @classmethod
    def measured(cls, given: tuple[Tensor, ...], *, standardize: bool = True) -> "InputScaling":
        """From the training part. Whole numbers other than uint8 are indices; standardize: floats too."""
        return cls(tuple(_scaling(x, standardize) for x in given), tuple(tuple(x.shape[1:]) for x in given))

    def of(self, given: tuple[Tensor, ...], part: str = "the data") -> tuple[Tensor, ...]:
        """As `to_tensors` gave them -> as the network gets them. Raises DataError for other shapes."""
        found = tuple(tuple(x.shape[1:]) for x in given)
        if found != self.shapes:
            raise DataError(
                f"an example of {part} has another shape than those of the training part",
                found=f"{_shapes(found)} instead of {_shapes(self.shapes)}",
            )
        return tuple(scaling.of(x) for scaling, x in zip(self.scalings, given, strict=True))

    def undo(self, ready: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """As the network gets them -> as they were given."""
        each = zip(self.scalings, ready, self.shapes, strict=True)
        return tuple(scaling.undo(x, shape) for scaling, x, shape in each)

    def pixels(self, ready: tuple[Tensor, ...]) -> "np.typing.NDArray[np.uint8] | None":
        """The first input as pictures [N, H, W, 3] again; None where it is none."""
        scaling, x = self.scalings[0], ready[0].detach().cpu()
        if scaling.kind != "pictures":
            return None
        shown = scaling.undo(x, tuple(x.shape[1:])).permute(0, 2, 3, 1)
        return (shown.expand(-1, -1, -1, 3) if shown.shape[3] == 1 else shown).contiguous().numpy()

    def to_json(self) -> dict[str, Any]:
        """For a saved learner."""
        return {"scalings": [asdict(scaling) for scaling in self.scalings], "shapes": [list(s) for s in self.shapes]}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "InputScaling":
        """What `to_json` gave."""
        each = (Scaling(s["kind"], tuple(s["mean"]), tuple(s["std"])) for s in document["scalings"])
        return cls(tuple(each), tuple(tuple(shape) for shape in document["shapes"]))


class WithScaledInputs(nn.Module):
    """A network that gets its inputs as they were given: what is exported, so that nobody can scale them otherwise."""

    def __init__(self, network: nn.Module, inputs: InputScaling) -> None:
        super().__init__()
        self.network, self.inputs = network, inputs

    def forward(self, *given: Tensor) -> Any:
        """Each [N, ...] as it was given -> the network's outputs."""
        return self.network(*(scaling.of(x) for scaling, x in zip(self.inputs.scalings, given, strict=True)))


def to_tensors(x: Any, part: str = "the data") -> tuple[Tensor, ...]:
    """An array, a tensor, nested lists, a table of numbers, or a tuple of several such inputs -> tensors [N, ...].

    Raises DataError for what holds no numbers, and for NaN or infinite ones.
    """
    return tuple(_tensor(each, part) for each in x) if isinstance(x, tuple) else (_tensor(x, part),)


def colors_first(x: Tensor) -> Tensor:
    """[N, H, W], [N, H, W, C] or [N, C, H, W] -> [N, C, H, W]. Where both could be meant, colors are last."""
    if x.ndim == 3:
        return x[:, None]
    return x.permute(0, 3, 1, 2) if x.shape[3] in COLORS else x


def _tensor(x: Any, part: str) -> Tensor:
    try:
        array = np.asarray(in_numpy(x))
    except ValueError as problem:
        raise DataError(f"the inputs of {part} are not one array", found=problem, fix="give all one shape") from None
    if array.dtype.kind not in "biuf" or array.ndim == 0:
        fix = "encode text as numbers; several inputs are a tuple of arrays"
        raise DataError(f"the inputs of {part} are not numbers", found=f"{array.dtype} {list(array.shape)}", fix=fix)
    if array.ndim == 1:
        array = array[:, None]  # one number an example
    if array.dtype.kind == "f":
        _check_finite(array, part)
        array = array.astype(np.float32, copy=False)
    elif array.dtype != np.uint8:
        array = array.astype(np.float32 if array.dtype.kind == "b" else np.int64, copy=False)
    array = np.ascontiguousarray(array)
    return torch.from_numpy(array if array.flags.writeable else array.copy())


def _check_finite(array: "np.typing.NDArray[Any]", part: str) -> None:
    bad = ~np.isfinite(array)
    if bad.any():
        first = tuple(int(place[0]) for place in np.nonzero(bad))
        found = f"{int(bad.sum())} of {array.size}, the first at {list(first)}"
        fix = "fill them in, for example with the training part's median, or leave those examples out"
        raise DataError(f"the inputs of {part} hold NaN or infinite numbers", found=found, fix=fix)


def _scaling(x: Tensor, standardize: bool) -> Scaling:
    if x.dtype == torch.int64:
        return Scaling("indices")
    kind = "pictures" if x.dtype == torch.uint8 and _are_pictures(x) else "numbers"
    if x.is_floating_point() and not standardize:
        return Scaling(kind)
    if (
        x.dtype == torch.uint8 and kind == "numbers"
    ):  # pixels in a row: one that is hardly ever set must not be blown up
        return _measured(kind, x.reshape(len(x), 1, -1))
    return _measured(kind, colors_first(x) if kind == "pictures" else x)


def _are_pictures(x: Tensor) -> bool:
    return x.ndim == 3 or (x.ndim == 4 and (x.shape[3] in COLORS or x.shape[1] in COLORS))


def _measured(kind: str, x: Tensor) -> Scaling:
    """Of each of the second axis [N, C, ...]; three axes [N, T, D] that are no pictures share one number."""
    x = x.reshape(len(x), 1, -1) if x.ndim == 3 and kind == "numbers" else x.flatten(2) if x.ndim > 2 else x[..., None]
    mean, std = [], []
    for channel in range(x.shape[1]):  # one at a time: float64 copies stay small
        values = x[:, channel].double()
        mean.append(float(values.mean()))
        std.append(float(values.std(correction=0)) or 1.0)
    return Scaling(kind, tuple(mean), tuple(std))


def _shapes(shapes: Sequence[tuple[int, ...]]) -> str:
    return ", ".join(str(list(shape)) for shape in shapes)
