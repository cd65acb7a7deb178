"""fastai's and kornia's augmentation, for benchmarks/augmentation.py: "NAME BATCH SIZE" in, seconds out, a line each.

Runs in an environment of its own that has them: `pip install fastai kornia "fastprogress<1.1"`.
"""

import json
import sys
import time
from collections.abc import Callable

import torch
from fastai.torch_core import TensorImage  # type: ignore[import-not-found]
from fastai.vision.augment import aug_transforms, setup_aug_tfms  # type: ignore[import-not-found]
from fasttransform import Pipeline  # type: ignore[import-not-found]
from kornia import augmentation as k  # type: ignore[import-not-found]


def fastai() -> Callable[[torch.Tensor], torch.Tensor]:
    """aug_transforms(): flip, turn by 10, zoom by 1.1, warp by 0.2, brightness and contrast by 0.2, each at 0.75."""
    change = Pipeline(setup_aug_tfms(aug_transforms()))
    change.split_idx = 0  # as in training
    return lambda pictures: change(TensorImage(pictures.float().div_(255)))


def kornia() -> Callable[[torch.Tensor], torch.Tensor]:
    """The same changes from kornia's classes."""
    change = k.AugmentationSequential(
        k.RandomHorizontalFlip(p=0.5),
        k.RandomAffine(degrees=10.0, scale=(1.0, 1.1), p=0.75),
        k.RandomPerspective(0.2, p=0.75),
        k.ColorJitter(brightness=0.2, contrast=0.2, p=0.75),
        data_keys=["input"],
    )
    return lambda pictures: change(pictures.float().div_(255))


def main() -> None:
    torch.manual_seed(0)
    changes = {"fastai": fastai(), "kornia": kornia()}
    batches: dict[tuple[int, ...], torch.Tensor] = {}
    for line in sys.stdin:
        name, count, size = line.split()
        shape = (int(count), 3, int(size), int(size))
        pictures = batches.setdefault(shape, torch.randint(0, 256, shape, dtype=torch.uint8))
        start = time.perf_counter()
        with torch.no_grad():
            seen = changes[name](pictures)
        seconds = time.perf_counter() - start
        assert tuple(seen.shape) == shape
        print(json.dumps(seconds), flush=True)


if __name__ == "__main__":
    main()
