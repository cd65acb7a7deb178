"""Accuracy of networks from scratch through `Learner`, with its defaults, on 10,000 digits, validated on 2,000.

`python benchmarks/mnist.py`: three seeds each; about five minutes on 4 cores.
"""

import time
from collections.abc import Callable

import numpy as np
import torch
from common import SHARED, median, report
from torch import nn

from ursa import models
from ursa.learner.learner import Learner

SEEDS = 3

# name, network of a seed, epochs, target (accuracy that is to be reached)
CASES: tuple[tuple[str, Callable[[int], nn.Module], int, float], ...] = (
    ("linear", lambda seed: models.linear(784, 10, seed=seed), 5, 0.905),
    ("MLP 784-512-10", lambda seed: models.mlp(784, 10, hidden=512, dropout=0.3, seed=seed), 10, 0.965),
    ("small CNN 32-64-128", lambda seed: models.small_cnn(1, 10, seed=seed), 8, 0.985),
)


def main() -> None:
    with np.load(SHARED / "data" / "mnist_12k.npz") as file:
        data = (file["x_train"], file["y_train"]), (file["x_valid"], file["y_valid"])
    rows = []
    for name, network, epochs, target in CASES:
        last, best, seconds = [], [], []
        for seed in range(SEEDS):
            learner = Learner(data, network(seed), recipe={"seed": seed})
            start = time.perf_counter()
            learner.fit_one_cycle(epochs)
            seconds.append(time.perf_counter() - start)
            last.append(learner.history.epochs[-1]["accuracy"])
            best.append(learner.evaluate()["accuracy"].value)
            print(name, seed, last[-1], best[-1], f"{seconds[-1]:.0f} s", flush=True)
        each = ", ".join(f"{100 * value:.2f}" for value in last)
        rows.append([name, epochs, f"{100 * target:.1f}", each, f"{100 * np.mean(best):.2f}", f"{median(seconds):.0f}"])
    report(
        "mnist",
        "Networks from scratch on digits",
        ["network", "epochs", "target, %", "last epoch, % (three seeds)", "best epoch, %, mean", "seconds"],
        rows,
        f"`Learner(...).fit_one_cycle(epochs)` with nothing else said; {torch.get_num_threads()} threads.",
    )


if __name__ == "__main__":
    main()
