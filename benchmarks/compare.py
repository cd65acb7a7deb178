"""How often `ursa compare` says that one of two models is better where they are the same recipe with two seeds, how
often its interval holds the true difference, and whether as many pictures as it calls enough are enough.

Of stored embeddings: the probe, fitted to 80 % of the pictures to learn from, drawn anew for each seed, as two seeds of
`ursa train` draw other parts; and small networks trained from other random weights in another order. Every pair is
compared on parts of the pictures that none of them saw. Drawn: hits with known chances.
"""

import itertools
import sys
import warnings
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from common import BACKBONE, SETS, SQUEEZENET, report, shared
from probe import embedded

from ursa.core import seeds
from ursa.diagnose.paired_accuracy import PairedAccuracy
from ursa.embed import probe

HEADS = 8  # of each third of a set: 28 pairs
DIVISIONS = 3  # of a set into thirds
DRAWS = 5  # parts of each pair
LEARNED = 0.8  # of the pictures to learn from, by each head
SIZES = (60, 200, 600)
SEEN = 4_000  # comparisons of drawn hits in a row

Bool = npt.NDArray[np.bool_]


def main() -> None:
    heads = int(sys.argv[1]) if len(sys.argv) > 1 else HEADS
    rows = [*drawn_rows(), *(row for name in SETS for row in of_heads(name, heads))]
    columns = ["models", "pictures", "comparisons", "differ by", '"A is better", wrongly', "interval holds it"]
    columns += ["seen with as many as are enough"]
    note = (
        "Differ by: points of accuracy. Wrongly: where both are the "
        "same recipe, whichever is called better; where A is truly better, that B is. Seen: share of new comparisons, "
        "on as many pictures as the true difference and discordance call enough (power 80 %), that say who is better."
    )
    report("compare", "Comparing two models on the same pictures", columns, rows, note)


def drawn_rows() -> Iterator[list[object]]:
    """Hits drawn with known chances: both right, A alone, B alone, neither."""
    for both, first, second in (
        (0.9, 0.03, 0.03),
        (0.7, 0.1, 0.1),
        (0.96, 0.01, 0.01),
        (0.85, 0.08, 0.02),
        (0.7, 0.13, 0.08),
    ):
        chances = [both, first, second, 1 - both - first - second]
        for size in SIZES:
            draw = seeds.generator(0, "compare", size, int(1000 * first))
            pairs = [hits(draw.choice(4, size=size, p=chances)) for _ in range(SEEN)]
            enough = power(chances, draw) if first != second else "-"
            yield row(
                f"drawn, {both:.0%} both right, {first:.0%} and {second:.0%} one", size, first - second, pairs, enough
            )


def power(chances: list[float], draw: np.random.Generator) -> str:
    """On as many pictures as are called enough for this difference, how often it is seen."""
    count = 10_000
    exact = np.repeat([0, 1, 2, 3], np.round(np.array(chances) * count).astype(int))
    enough = hits(exact).enough
    told = [hits(draw.choice(4, size=enough, p=chances)).told for _ in range(SEEN // 4)]
    return f"{np.mean(told):.0%} with {enough:,}"


def row(name: str, size: int, difference: float, pairs: list[PairedAccuracy], enough: str) -> list[object]:
    claims = np.array([(one.difference.value > 0) - (one.difference.value < 0) if one.told else 0 for one in pairs])
    wrong = (claims != 0).mean() if difference == 0 else (claims == -np.sign(difference)).mean()
    inside = np.mean([one.difference.low <= difference <= one.difference.high for one in pairs])
    return [name, size, len(pairs), f"{100 * difference:.1f}", f"{100 * wrong:.1f} %", f"{100 * inside:.1f} %", enough]


def of_heads(name: str, count: int) -> Iterator[list[object]]:
    """The same recipe with many seeds, each pair on parts of several sizes."""
    vectors, targets, groups = embedded(shared(name), BACKBONE, SQUEEZENET)
    for kind, fit, divisions in (("probes", probes, DIVISIONS), ("small networks", networks, 1)):
        found: dict[int, list[tuple[bool, bool]]] = {}
        for number, judged in enumerate(held_out(targets, groups, divisions)):  # no copy of one on the other side
            learn = np.flatnonzero(~judged)
            answers = fit(vectors[learn], targets[learn], groups[learn], vectors[judged], count)
            right = [answer == targets[judged] for answer in answers]
            whole = int(judged.sum())
            for size in (*(size for size in SIZES if size < 0.9 * whole), whole):
                for pair, (one, other) in enumerate(itertools.combinations(right, 2)):
                    found.setdefault(round(size, -1), []).extend(compared(one, other, size, 1000 * number + pair))
        for size, pairs in found.items():
            shares = (f"{100 * share:.1f} %" for share in np.mean(pairs, axis=0))
            yield [f"{name}, {kind} of two seeds", size, len(pairs), "0", *shares, "-"]


def probes(vectors: probe.F32, targets: probe.I64, groups: probe.I64, judged: probe.F32, count: int) -> list[probe.I64]:
    """Classes [M] of the judged vectors [M, D], by each of `count` probes."""
    answers = []
    for seed in range(count):
        kept = probe.assign_folds(targets, groups, round(1 / (1 - LEARNED)), seed) != 0
        part = vectors[kept], targets[kept], int(targets.max()) + 1
        answers.append(probe.fit(*part, groups=groups[kept], seed=seed).head.probabilities(judged).argmax(1))
    return answers


def networks(vectors: probe.F32, targets: probe.I64, _: probe.I64, judged: probe.F32, count: int) -> list[probe.I64]:
    """The same by networks of one hidden layer, trained by SGD from random weights on all of these pictures."""
    from sklearn.neural_network import MLPClassifier

    mean, scale = vectors.mean(0), vectors.std(0) + 1e-3
    x, y = (vectors - mean) / scale, (judged - mean) / scale
    settings = {"hidden_layer_sizes": (32,), "solver": "sgd", "learning_rate_init": 0.02, "max_iter": 25, "tol": 0.0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that it could go on
        return [MLPClassifier(random_state=seed, **settings).fit(x, targets).predict(y) for seed in range(count)]


def held_out(targets: probe.I64, groups: probe.I64, divisions: int) -> Iterator[Bool]:
    """Thirds that are not learned from, of several divisions."""
    for seed in range(divisions):
        folds = probe.assign_folds(targets, groups, 3, seed)
        yield from (folds == fold for fold in range(3))


def compared(one: Bool, other: Bool, size: int, number: int) -> Iterator[tuple[bool, bool]]:
    """Whether one of them is called better on a part of the held-out pictures, and whether the interval of a part drawn
    with replacement holds the difference on all of them."""
    for repeat in range(DRAWS if size < len(one) else 1):
        draw = seeds.generator(repeat, "compare", number, size)
        rows = draw.permutation(len(one))[:size]
        told = PairedAccuracy(one[rows], other[rows]).told
        rows = draw.integers(len(one), size=size)
        difference = PairedAccuracy(one[rows], other[rows]).difference
        yield told, bool(difference.low <= one.mean() - other.mean() <= difference.high)


def hits(kinds: npt.NDArray[np.int64]) -> PairedAccuracy:
    """kinds [N]: 0 both right, 1 the first alone, 2 the second alone, 3 neither."""
    first: Bool = np.isin(kinds, (0, 1))
    second: Bool = np.isin(kinds, (0, 2))
    return PairedAccuracy(first, second)


if __name__ == "__main__":
    main()
