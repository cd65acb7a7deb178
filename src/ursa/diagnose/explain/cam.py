"""A network, pictures, classes -> where in each picture the class is seen: Grad-CAM (Selvaraju et al. 2017).

The channels of the last layer with a map are added up, each weighted by the mean slope of the class's logit over its
positions; what speaks against the class is cut off. The layer is found by itself (`spatial_layers`), and the map has to
pass the sanity check (`sanity_check`): an explanation that random weights would give as well explains nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ursa.diagnose.explain import sanity_check
from ursa.diagnose.explain.sanity_check import SanityCheck
from ursa.diagnose.explain.spatial_layers import (
    SpatialLayer,
    last_spatial_layer,
    logits_of,
    named_layer,
    picture_sides,
    recorded,
)
from ursa.errors import DataError, TrainingError
from ursa.models.shape_errors import explain

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]

AT_ONCE = 8  # pictures forward and back: what a backward pass keeps of ConvNeXt nano at 288 px is 0.1 GB a picture


@dataclass(frozen=True)
class GradCam:
    """Where a network sees a class in each of N pictures."""

    maps: F32  # [N, H, W] as large as the pictures, 0 to 1; all 0 where nothing in a picture speaks for the class
    targets: I64  # [N] the class that each map is of
    layer: SpatialLayer
    positions: F32  # [N, h, w] the same as it was computed, a number a position of the layer
    check: SanityCheck | None = None  # None where it was not asked for

    @property
    def note(self) -> str:
        """What stands under such maps: how to read them, and whether they can be believed."""
        if self.check is None or not self.check.similarity:
            return "Bright places speak for the class"
        worst = max(self.check.similarity)
        kept = "destroyed by random weights" if self.check.passed else "no explanation: random weights keep it"
        return f"Bright speaks for it; {kept} (correlation {worst:.2f})"

    def __len__(self) -> int:
        return len(self.maps)

    def __repr__(self) -> str:
        said = "not checked" if self.check is None else str(self.check)
        return f"GradCam({len(self)} maps of {self.layer}; {said})"


def grad_cam(
    model: nn.Module,
    pictures: Any,
    targets: int | Sequence[int] | Any | None = None,
    *,
    layer: str | None = None,
    check: bool = True,
    seed: int = 0,
) -> GradCam:
    """Where a torch network sees a class in each picture; the network is left as it was.

    pictures: an array or a tensor as the network takes it, [N, C, H, W] or [N, H, W, C]. targets: a class for all, or
    [N]; None: what the network predicts. Of a network with one output, 1 is what raises it and 0 what lowers it. layer:
    its name, as of `named_modules`; None: the last one with a map. check: whether the maps are put to the sanity check,
    with the seed of its random weights. Raises TrainingError for a network without such a layer or with another output
    than [N, K], DataError for classes that it does not have.
    """
    _require_network(model)
    batch = as_pictures(model, pictures)
    try:
        at = last_spatial_layer(model, batch) if layer is None else named_layer(model, batch, layer)
    except RuntimeError as problem:  # pictures of another size or type than the network takes
        raise explain(model, (batch,), problem) from problem
    wanted = _targets(model, batch, targets)
    positions = maps_at(model, batch, wanted, at)
    maps = enlarged(positions, picture_sides(batch))
    found = sanity_check.sanity_check(model, batch, wanted, at, positions, maps_at, seed=seed) if check else None
    return GradCam(maps, wanted.cpu().numpy(), at, positions, found)


def as_pictures(model: nn.Module, pictures: Any) -> Tensor:
    """Whatever holds numbers -> a tensor where the network computes. Raises TrainingError for what is no pictures."""
    batch = pictures if isinstance(pictures, Tensor) else torch.as_tensor(np.asarray(pictures))
    picture_sides(batch)
    own = next((p for p in model.parameters()), torch.zeros(()))
    return batch.detach().to(own.device)


def maps_at(model: nn.Module, pictures: Tensor, targets: Tensor, layer: SpatialLayer) -> F32:
    """[N, h, w]: for each picture the positions of a layer by what they add to the logit of its target, largest 1."""
    rows = [
        _maps(model, some, of, layer) for some, of in zip(pictures.split(AT_ONCE), targets.split(AT_ONCE), strict=True)
    ]
    return np.concatenate(rows)


def enlarged(positions: F32, size: tuple[int, int]) -> F32:
    """[N, h, w] -> [N, H, W], between positions in straight lines; the largest of each is 1 again."""
    maps = F.interpolate(torch.from_numpy(positions)[:, None], size=size, mode="bilinear", align_corners=False)[:, 0]
    return (maps / maps.amax((1, 2), keepdim=True).clamp_min(torch.finfo().tiny)).numpy()


def _require_network(model: object) -> None:
    if not isinstance(model, nn.Module):
        fix = "learner.grad_cam(x) of a learner, `ursa grad-cam BUNDLE PICTURE...` of a bundle"
        raise TrainingError("Grad-CAM looks into a torch network", found=type(model).__name__, fix=fix)


def _maps(model: nn.Module, pictures: Tensor, targets: Tensor, layer: SpatialLayer) -> F32:
    with recorded(model, only=layer.name) as outputs:
        logits = logits_of(model(pictures.clone()), model)
        score = _signed(logits, targets).sum()
        value = next((output.value for output in outputs if output.call == layer.call), None)
        if value is None:
            raise TrainingError(f"{layer.name} was not called again", fix="give a layer that every picture passes")
        (slope,) = torch.autograd.grad(score, value, allow_unused=True)
    slope = torch.zeros_like(value) if slope is None else slope
    weights = layer.maps(slope).mean((2, 3), keepdim=True)
    maps = (weights * layer.maps(value.detach())).sum(1).relu().float()
    maps = torch.nan_to_num(maps / maps.amax((1, 2), keepdim=True).clamp_min(torch.finfo().tiny))
    return maps.cpu().numpy()


def _signed(logits: Tensor, targets: Tensor) -> Tensor:
    """[N] the logit of each target; of a single output, what raises or lowers it."""
    if logits.shape[1] == 1:
        return logits[:, 0] * (2 * targets - 1)
    return logits.gather(1, targets[:, None])[:, 0]


def _targets(model: nn.Module, pictures: Tensor, targets: Any) -> Tensor:
    with recorded(model, only=""), torch.no_grad():
        logits = torch.cat([logits_of(model(some), model) for some in pictures.split(AT_ONCE)])
    count = max(2, logits.shape[1])
    if targets is None:
        return logits.argmax(1) if logits.shape[1] > 1 else (logits[:, 0] > 0).long()
    wanted = (
        np.broadcast_to(np.asarray(targets.cpu() if isinstance(targets, Tensor) else targets), len(pictures))
        if (np.ndim(targets) == 0 or len(targets) == len(pictures))
        else np.empty(0)
    )
    if wanted.dtype.kind not in "iu" or not len(wanted) or wanted.min() < 0 or wanted.max() >= count:
        raise DataError(
            "a map is of one of the network's classes",
            found=f"{targets!r}"[:80],
            fix=f"whole numbers from 0 to {count - 1}, one for all pictures or one each",
        )
    return torch.from_numpy(wanted.astype(np.int64)).to(logits.device)
