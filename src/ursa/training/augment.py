"""Random views of a picture: a random part of it, now and then mirrored. Seeded by picture and epoch."""

import numpy as np

from ursa.core.image import Pixels
from ursa.core.prepare import Preparation
from ursa.recipe import Recipe


def random_view(pixels: Pixels, preparation: Preparation, recipe: Recipe, draw: np.random.Generator) -> Pixels:
    """pixels [h, w, 3] -> view [S, S, 3]: as the model will see a picture, of a random crop of this one."""
    height, width = pixels.shape[:2]
    share_h, share_w, down, right, mirror = draw.random(5)
    h = max(1, round(height * (recipe.zoom + (1 - recipe.zoom) * share_h)))
    w = max(1, round(width * (recipe.zoom + (1 - recipe.zoom) * share_w)))
    top, left = round(down * (height - h)), round(right * (width - w))
    view = preparation.view(np.ascontiguousarray(pixels[top : top + h, left : left + w]))
    return view[:, ::-1] if mirror < recipe.flip else view
