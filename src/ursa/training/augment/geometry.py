"""Sizes and draws -> one homography a picture -> views. However many geometric changes, pixels are interpolated once.

Coordinates are continuous: a view of S pixels spans [-1, 1] in both directions, (-1, -1) its top left corner, as in
`torch.nn.functional.grid_sample(align_corners=False)`. Every matrix here maps a place in the view to the place that it
shows, so that changes compose from the last one to the first.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F

from ursa.core.prepare import FILL, Preparation
from ursa.recipe import AugmentSettings
from ursa.training.augment.random_numbers import F64

SHARP = (
    1.75  # a picture reduced by more is halved first, by averages of 2 x 2; from there on that is nearer to the view
)


@dataclass(frozen=True)
class Geometry:
    """What part of its picture a view shows, and how it lies there; known on the host, a row a picture."""

    matrix: F64  # [N, 3, 3]: homogeneous view coordinates -> pixels of the picture
    box: F64  # [N, 4] top, left, bottom, right of the part that is shown, pixels of the picture
    level: npt.NDArray[np.int64]  # [N] how often the picture is halved before it is sampled
    reflect: bool  # beyond the picture lies its mirror image; else grey

    def rows(self, which: slice | npt.NDArray[np.int64]) -> "Geometry":
        """The same of some of the pictures."""
        return Geometry(self.matrix[which], self.box[which], self.level[which], self.reflect)

    def then(self, change: F64) -> "Geometry":
        """The same, changed once more by [N, 3, 3] homographies of the view."""
        return replace(self, matrix=self.matrix @ change)


def drawn(sizes: F64, preparation: Preparation, augment: AugmentSettings, draw: F64) -> Geometry:
    """sizes [N, 2] (height, width), draw [N, 12] in [0, 1) -> Geometry."""
    share = augment.min_scale + (1 - augment.min_scale) * draw[:, 0:2]
    share = np.maximum(share, share.max(1, keepdims=True) / augment.aspect_ratio)
    part = np.maximum(1, np.round(sizes * share))  # [N, 2] height and width in whole pixels
    corner = np.round(draw[:, 2:4] * (sizes - part))
    fitted, reduction = _fitted(corner, part, preparation)
    changes = (
        warps(augment.perspective * _signed(draw[:, 4]), augment.perspective * _signed(draw[:, 5])),
        turns(augment.rotate * _signed(draw[:, 6])),
        turns(90 * np.where(draw[:, 7] < augment.rotate90, 1 + draw[:, 7] / (augment.rotate90 or 1) * 3 // 1, 0)),
        shifts(2 * augment.translate * _signed(draw[:, 8]), 2 * augment.translate * _signed(draw[:, 9])),
        mirrors(draw[:, 10] < augment.hflip, draw[:, 11] < augment.vflip),
    )
    reflect = augment.padding_mode == "reflect"
    box = np.concatenate([np.zeros_like(sizes), sizes] if reflect else [corner, corner + part], axis=1)
    level = np.maximum(0, np.floor(np.log2(np.maximum(reduction, 1e-9) * 2 / SHARP))).astype(np.int64)
    return Geometry(composed(fitted, *changes), box, level, reflect)


def composed(first: F64, *others: F64) -> F64:
    """Matrices [N, 3, 3] in the order in which a picture is changed -> one [N, 3, 3]."""
    for other in others:
        first = first @ other
    return first


def mirrors(across: npt.NDArray[np.bool_], down: npt.NDArray[np.bool_]) -> F64:
    """[N] mirrored left and right, [N] mirrored up and down -> [N, 3, 3]."""
    return _matrices(len(across), {(0, 0): np.where(across, -1, 1), (1, 1): np.where(down, -1, 1)})


def turns(degrees: F64) -> F64:
    """[N] counter-clockwise, about the middle of the view -> [N, 3, 3]. Quarter turns are exact."""
    quarters = np.round(degrees / 90)
    rest = np.deg2rad(degrees - 90 * quarters)
    cos, sin = (np.array([1.0, 0, -1, 0])[(quarters.astype(np.int64) - k) % 4] for k in (0, 1))
    cos, sin = cos * np.cos(rest) - sin * np.sin(rest), sin * np.cos(rest) + cos * np.sin(rest)
    return _matrices(len(degrees), {(0, 0): cos, (0, 1): -sin, (1, 0): sin, (1, 1): cos})


def shifts(right: F64, down: F64) -> F64:
    """[N] each, in halves of a view's side -> [N, 3, 3]."""
    return _matrices(len(right), {(0, 2): -right, (1, 2): -down})


def shears(across: F64, down: F64) -> F64:
    """[N] each: pixels sideways a pixel down, or down a pixel sideways, from the top left corner -> [N, 3, 3]."""
    return _matrices(len(across), {(0, 1): across, (0, 2): across, (1, 0): down, (1, 2): down})


def warps(across: F64, down: F64) -> F64:
    """Keystones, as if the camera were tilted -> [N, 3, 3].

    across [N]: the view's bottom edge shows what is 1 + across times as wide, its top edge 1 - across times; down [N]:
    the same of right and left edge and heights. The corners go where fastai's `Warp` puts them.
    """
    ones = np.ones(len(across))
    tilted = {(0, 0): 1 - across**2, (1, 2): -across, (2, 1): -across, (1, 1): ones}
    swung = {(1, 1): 1 - down**2, (0, 2): -down, (2, 0): -down, (0, 0): ones}
    return _matrices(len(across), tilted) @ _matrices(len(down), swung)


def render(pictures: Tensor, geometry: Geometry, size: int) -> Tensor:
    """pictures [N, P, P, 3] uint8 -> views [N, 3, S, S] float32 from 0 to 255."""
    levels = np.unique(geometry.level)
    frame = 2 ** int(levels.max())  # pixels of grey around: one, after halving
    pixels = _framed(pictures, geometry.box, frame)
    if len(levels) == 1:
        return _sampled(_halved(pixels, int(levels[0])), geometry, size, frame)
    views = pixels.new_empty(len(pixels), 3, size, size)
    for level in levels:
        some = np.flatnonzero(geometry.level == level)
        rows = torch.from_numpy(some).to(pixels.device)
        views[rows] = _sampled(_halved(pixels[rows], int(level)), geometry.rows(some), size, frame)
    return views


def _fitted(corner: F64, part: F64, preparation: Preparation) -> tuple[F64, F64]:
    """As `Preparation.view` fits a part of a picture into a view: matrices [N, 3, 3], and how far it is reduced [N]."""
    size = preparation.size
    shown, place = np.full_like(part, size), np.zeros_like(part)  # of the part in the view, pixels
    if preparation.fit == "crop":
        side = part.min(1, keepdims=True)
        corner, part = corner + (part - side) // 2, np.broadcast_to(side, part.shape)
    elif preparation.fit == "pad":
        shown = np.maximum(1, np.round(part * (size / part.max(1, keepdims=True))))
        place = (size - shown) // 2
    scale = part / shown  # pixels of the picture a pixel of the view
    start = corner - place * scale
    across, down = scale[:, 1] * size / 2, scale[:, 0] * size / 2
    entries = {(0, 0): across, (1, 1): down, (0, 2): start[:, 1] + across, (1, 2): start[:, 0] + down}
    return _matrices(len(part), entries), np.sqrt(scale.prod(1))


def _framed(pictures: Tensor, box: F64, frame: int) -> Tensor:
    """pictures [N, P, P, 3] uint8 -> [N, 3, P + 2 frame, P + 2 frame] float32, channels last: grey beyond the boxes."""
    count, side = len(pictures), pictures.shape[1]
    places = np.arange(side)
    inside = (places >= box[:, :2, None]) & (places < box[:, 2:, None])  # [N, 2, P]
    framed = torch.full((count, side + 2 * frame, side + 2 * frame, 3), float(FILL), device=pictures.device)
    if not inside.all():
        down, across = torch.from_numpy(inside * np.uint8(255)).to(pictures.device).unbind(1)
        wide = across[:, :, None].expand(-1, -1, 3).reshape(count, 1, 3 * side)
        bits = pictures.reshape(count, side, 3 * side) ^ FILL  # bits of a byte: a quarter of the memory of a float
        pictures = bits.bitwise_and_(wide).bitwise_and_(down[:, :, None]).bitwise_xor_(FILL).view(pictures.shape)
    framed[:, frame:-frame, frame:-frame] = pictures
    return framed.permute(0, 3, 1, 2)


def _halved(pixels: Tensor, times: int) -> Tensor:
    for _ in range(times):
        height, width = pixels.shape[2:]
        pixels = F.avg_pool2d(F.pad(pixels, (0, width % 2, 0, height % 2), value=FILL), 2)
    return pixels


def _sampled(pixels: Tensor, geometry: Geometry, size: int, frame: int) -> Tensor:
    """pixels [N, 3, Q, Q], framed and halved equally often -> [N, 3, S, S]."""
    reduced = 2.0 ** geometry.level[0]
    half = 1 / pixels.shape[2]  # of a pixel, where all of them span [-1, 1]
    step, start = 2 * half / reduced, 2 * half / reduced * frame - 1  # a pixel of the picture; where the picture begins
    grid = _grid(np.array([[step, 0, start], [0, step, start], [0, 0, 1]]) @ geometry.matrix, size, pixels.device)
    # The box in whole pixels of what is sampled: pixels that are half grey are not used.
    box = np.stack([geometry.box[:, [1, 0]], geometry.box[:, [3, 2]]])  # x and y of its first and last corner
    begin, end = np.ceil(box[0] / reduced), np.floor(box[1] / reduced)
    whole = np.stack([begin, np.maximum(end, begin + 1)]) * reduced
    ends = np.concatenate([box, whole]) * step + start  # [4, N, 2]
    low, high, first, last = torch.from_numpy(ends.astype(np.float32)).to(pixels.device)[..., None, None]
    if geometry.reflect:
        grid = high - (grid.sub_(start).remainder_(2 * (high - start)) - (high - start)).abs_()
        grid = grid.maximum(first + half).minimum(last - half)
    else:
        inside = ((grid >= low) & (grid <= high)).all(1, keepdim=True)
        grid = torch.where(inside, grid.maximum(first + half).minimum(last - half), grid)
    grid = grid.permute(0, 2, 3, 1)
    return F.grid_sample(pixels, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _grid(matrix: F64, size: int, device: torch.device) -> Tensor:
    """matrices [N, 3, 3] -> [N, 2, S, S]: x and y of what each pixel of a view shows."""
    flat = (matrix[:, 2, :2] == 0).all()
    middles = ((np.arange(size) + 0.5) * (2 / size) - 1).astype(np.float32)
    matrix = (matrix / matrix[:, 2:, 2:]).astype(np.float32)
    across = torch.from_numpy(matrix[:, :, :1] * middles).to(device)[:, :, None, :]  # [N, 3, 1, S]
    down = torch.from_numpy(matrix[:, :, 1:2] * middles + matrix[:, :, 2:]).to(device)[:, :, :, None]
    grid = across[:, :2] + down[:, :2]
    return grid if flat else grid.mul_((across[:, 2:] + down[:, 2:]).reciprocal_())


def _signed(draw: F64) -> F64:
    """[0, 1) -> [-1, 1)."""
    return 2 * draw - 1


def _matrices(count: int, entries: dict[tuple[int, int], F64]) -> F64:
    matrix = np.tile(np.eye(3), (count, 1, 1))
    for (row, column), values in entries.items():
        matrix[:, row, column] = values
    return matrix
