"""The probe on few pictures, many classes and imbalance: what it promises against what untouched pictures give."""

import sys
from collections.abc import Callable

import numpy as np
from common import BACKBONE, SQUEEZENET, report, shared
from probe import Data, embedded

from ursa.core import statistics
from ursa.embed import probe

REPEATS = 20

Case = tuple[
    str, Data, Callable[[np.random.Generator, probe.I64], probe.I64]
]  # name, data, classes -> rows to learn from


def main() -> None:
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else REPEATS
    dogs, clothing = (embedded(shared(name), BACKBONE, SQUEEZENET) for name in ("dogs_cats", "clothing"))
    thumbs = embedded(shared("bears_thumbs"), BACKBONE, SQUEEZENET)
    many = synthetic(classes=200, a_class=30)
    cases: list[Case] = [
        ("dogs_cats, 300 pictures", dogs, lambda draw, y: draw.permutation(len(y))[:300]),
        ("bears_thumbs, half", thumbs, lambda draw, y: draw.permutation(len(y))[: len(y) // 2]),
        ("clothing, half", clothing, lambda draw, y: draw.permutation(len(y))[: len(y) // 2]),
        ("clothing, 5 a class", clothing, lambda draw, y: a_class(draw, y, dict.fromkeys(range(10), 5))),
        ("dogs_cats, 5 a class", dogs, lambda draw, y: a_class(draw, y, {0: 5, 1: 5})),
        ("dogs_cats, 500 to 5", dogs, lambda draw, y: a_class(draw, y, {0: 500, 1: 5})),
        ("200 classes of 5, synthetic", many, lambda draw, y: a_class(draw, y, dict.fromkeys(range(200), 5))),
    ]
    rows = [judged(*case, repeats) for case in cases]
    columns = ["data", "learned from", "promised", "untouched", "mean of classes", "largest class", "sure", "inside"]
    note = (
        f"Means over {repeats} draws, in per cent. Promised: cross-validated. Untouched: the same head on all other "
        "pictures, in the classes' proportions of those learned from. Mean of classes: mean recall there. Sure: mean "
        "probability of the likeliest class there; calibrated where it equals the accuracy. Inside: how often the "
        "accuracy on untouched pictures lies in the interval of the promise, widened by its own sampling noise."
    )
    report("probe_few", "Probe: few pictures, many classes, imbalance", columns, rows, note)


def a_class(draw: np.random.Generator, targets: probe.I64, wanted: dict[int, int]) -> probe.I64:
    """So many pictures of each class."""
    return np.concatenate([draw.permutation(np.flatnonzero(targets == k))[:count] for k, count in wanted.items()])


def synthetic(classes: int, a_class: int, features: int = 256) -> Data:
    """Overlapping classes with correlated features."""
    draw = np.random.default_rng(0)
    spread = np.arange(1, features + 1) ** -0.55
    targets = np.repeat(np.arange(classes), a_class)
    centers = draw.normal(size=(classes, features))
    noise = draw.normal(size=(len(targets), features))
    turn = np.linalg.qr(draw.normal(size=(features, features)))[0]
    vectors = ((centers[targets] + 1.5 * noise) * spread @ turn).astype(np.float32)
    return vectors, targets, np.arange(len(targets))


def judged(
    name: str, data: Data, chosen: Callable[[np.random.Generator, probe.I64], probe.I64], repeats: int
) -> list[object]:
    """One row."""
    vectors, targets, groups = data
    classes, found, count = int(targets.max()) + 1, [], 0
    for number in range(repeats):
        known = np.zeros(len(targets), bool)
        known[chosen(np.random.default_rng(number), targets)] = True
        count, new = int(known.sum()), ~known & ~np.isin(groups, groups[known])
        fitted = probe.fit(vectors[known], targets[known], classes, groups=groups[known], seed=number)
        promise, answers = fitted.accuracy(targets[known]), fitted.head.probabilities(vectors[new])
        right, of_class = answers.argmax(1) == targets[new], targets[new]
        portion = np.bincount(targets[known], minlength=classes) / count
        weight = (portion / np.maximum(np.bincount(of_class, minlength=classes), 1))[of_class]
        value = float((weight * right).sum() / weight.sum())
        noise = statistics.Z95 * float(np.sqrt((weight**2 * (right - value) ** 2).sum())) / weight.sum()
        middle, half = (promise.low + promise.high) / 2, (promise.high - promise.low) / 2
        recall = float(np.mean([right[of_class == k].mean() for k in np.unique(of_class)]))
        sure = float((weight * answers.max(1)).sum() / weight.sum())
        found.append([promise.value, value, recall, portion.max(), sure, abs(value - middle) <= np.hypot(half, noise)])
    means = 100 * np.mean(np.array(found, float), axis=0)
    return [name, f"{count:,}", *(f"{mean:.1f}" for mean in means)]


if __name__ == "__main__":
    main()
