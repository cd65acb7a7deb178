"""Pictures a second that are augmented on the CPU: Ursa, and with --peer-python PATH fastai and kornia beside it."""

import argparse
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from common import ROOT, interleaved, median, ratio, report

from ursa.core.prepare import Preparation
from ursa.recipe import Recipe
from ursa.training.augment import views

SIZE = 224
AS_FASTAI = {"zoom": 1 / 1.1, "turn": 10, "warp": 0.2, "light": 0.2, "contrast": 0.2}
OURS = {  # name: settings, side of the square that pictures come in
    "as fastai's aug_transforms": (AS_FASTAI, SIZE),
    "the same, from 299 px": (AS_FASTAI, 299),
    "the recipe's defaults, from 299 px": ({}, 299),
    "TrivialAugment": ({"trivial": 1.0}, SIZE),
    "everything, from 299 px": (
        {**AS_FASTAI, "colour": 0.3, "hue": 0.1, "pca": 0.1, "erase": 0.5, "trivial": 0.5, "quarter": 0.1},
        299,
    ),
}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--peer-python", type=Path, help="a Python that has fastai and kornia")
    arguments.add_argument("--batch", type=int, default=64)
    arguments.add_argument("--rounds", type=int, default=25)
    given = arguments.parse_args()
    actions = {name: ours(settings, side, given.batch) for name, (settings, side) in OURS.items()}
    if given.peer_python:
        actions |= peers(given.peer_python, given.batch)
    for action in actions.values():
        for _ in range(2):  # the first calls warm up
            action()
    seconds = interleaved(given.rounds, **actions)
    first = next(iter(OURS))
    rows = [
        [name, f"{given.batch / median(taken):,.0f}", f"{ratio(taken, seconds[first]):.2f}"]
        for name, taken in seconds.items()
    ]
    columns = ["augmentation", "pictures a second", "time, over the first row's"]
    note = (
        f"Batches of {given.batch} to {SIZE} px, uint8 in. Ursa gives uint8 and draws anew in each round; fastai and "
        "kornia give floats. Peers: aug_transforms() as it comes; RandomHorizontalFlip, RandomAffine, "
        "RandomPerspective and ColorJitter with the same limits."
    )
    report("augmentation", "Augmentation on the CPU", columns, rows, note)


def ours(settings: dict[str, float], side: int, count: int) -> Callable[[], float]:
    pictures = torch.randint(0, 256, (count, side, side, 3), dtype=torch.uint8)
    recipe, epoch = Recipe().with_settings(settings), iter(range(10**9))

    def action() -> float:
        start = time.perf_counter()
        draw = views.draws(recipe.seed, next(epoch), range(count))
        views.augmented(pictures, np.full((count, 2), side), Preparation(SIZE), recipe.augment, draw)
        return time.perf_counter() - start

    return action


def peers(python: Path, count: int) -> dict[str, Callable[[], float]]:
    script = ROOT / "benchmarks" / "peers" / "augmentation_peers.py"
    process = subprocess.Popen([python, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    write, read = process.stdin, process.stdout

    def asked(name: str) -> float:
        write.write(f"{name} {count} {SIZE}\n")
        write.flush()
        return float(json.loads(read.readline()))

    return {name: lambda name=name: asked(name) for name in ("fastai", "kornia")}  # type: ignore[misc]


if __name__ == "__main__":
    main()
