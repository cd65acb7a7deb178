"""Wrong labels that were planted: how well they are ranked, cut off and counted, before and after some answers.

Embeddings are kept in the system's temporary folder. Confident learning (Northcutt et al. 2021): the confident joint,
pruned by noise rate for the cut; self-confidence or normalized margin for the ranking.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
from common import BACKBONE, SHARED, SQUEEZENET, report, shared
from planted_labels import KINDS, planted
from probe import embedded
from sklearn.metrics import average_precision_score

from ursa.clean.wrong_labels.label_answers import estimate, which_to_ask
from ursa.clean.wrong_labels.label_audit import audit_labels
from ursa.clean.wrong_labels.label_margins import LabelMargins, mean_probabilities
from ursa.clean.wrong_labels.suspected import suspects
from ursa.core import seeds
from ursa.data.sources.constructors import from_arrays
from ursa.embed import probe
from ursa.embed.stored_probe import REPEATS
from ursa.workflow.check import check

SEEDS = 5
SHARES = (0.02, 0.05, 0.1, 0.2, 0.4)
ANSWERS = 60
DIGITS = 2500  # of mnist_12k

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Data = tuple[F32, I64, I64]

COLUMNS = (
    *("F1 of margin > 0", "of margin > ln 2", "of confident learning", "before any answer", f"after {ANSWERS} answers"),
    *(
        "best",
        "area under precision-recall",
        "of self-confidence",
        "of normalized margin",
        "count / true",
        "count holds",
        "found",
    ),
)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS
    found: dict[tuple[str, str, float], list[list[float]]] = {}
    clean = []
    for name, (data, other) in sets().items():
        _, targets, groups = data
        classes = int(targets.max()) + 1
        mistakes = probe.fit(other, targets, classes, groups=groups).probabilities.astype(np.float64)
        p = judged(data, targets, 0)
        clean.append(f"{name} {100 * len(suspects(p, targets)) / len(targets):.1f} %")
        for kind in KINDS:
            for share in SHARES:
                for seed in range(count):
                    draw = seeds.generator(seed, "planted labels", round(1000 * share))
                    labels = planted(kind, targets, share, mistakes, draw)
                    row = measured(judged(data, labels, seed), labels, labels != targets, share)
                    found.setdefault((name, kind, share), []).append(row)
        print(name, clean[-1], flush=True)
    rows = []
    for name in sets():
        rows += [summarized(f"{name}, {kind}", found, lambda key, n=name, k=kind: key[:2] == (n, k)) for kind in KINDS]
    rows += [summarized(f"{100 * share:.0f} % wrong", found, lambda key, s=share: key[2] == s) for share in SHARES]
    rows.append(summarized("all", found, lambda _: True))
    note = (
        f"Means over {count} seeds and {', '.join(f'{100 * share:.0f}' for share in SHARES)} % of labels wrong. Count "
        f"holds: draws with a count within 15 % or 0.5 % of the data, after {ANSWERS} true answers. Found: share of "
        "the wrong labels among the first 1.5 times as many, at 5 to 20 %. Suspected where nothing is planted: "
        f"{', '.join(clean)}. {timed()}"
    )
    report("wrong_labels", "Wrong labels, planted", ["data", *COLUMNS], rows, note)


def measured(p: F32, labels: I64, wrong: Mask, share: float) -> list[float]:
    """p [N, K], labels [N], wrong [N] -> the columns."""
    known = LabelMargins.of(p, labels)
    m, own = known.margins, p[np.arange(len(labels)), labels]
    asked = which_to_ask(m, ANSWERS)
    after = estimate(m, {int(row): bool(wrong[row]) for row in asked})
    hits = np.cumsum(wrong[known.ranked()])
    best = (2 * hits / (np.arange(1, len(hits) + 1) + wrong.sum())).max()
    precision = [average_precision_score(wrong, some) for some in (m, -own, known.likely_probability - own)]
    error = abs(after.count.value - wrong.sum())
    holds = error <= max(0.15 * wrong.sum(), 0.005 * len(wrong))
    looked = hits[min(round(1.5 * wrong.sum()), len(hits)) - 1] / wrong.sum()
    return [
        *(f1(m > 0, wrong), f1(m > np.log(2), wrong), f1(confident_learning(p, labels), wrong)),
        *(f1(mask(suspects(p, labels, known), wrong), wrong), f1(mask(after.rows(), wrong), wrong), float(best)),
        *(*precision, after.count.value / wrong.sum(), float(holds)),
        looked if 0.05 <= share <= 0.2 else np.nan,
    ]


def confident_learning(p: F32, labels: I64) -> Mask:
    """Northcutt's confident joint, calibrated to the labels' counts; pruned by noise rate, class by class."""
    count, classes = p.shape
    own = p[np.arange(count), labels]
    usual = np.array([own[labels == k].mean() if (labels == k).any() else 1.0 for k in range(classes)])
    above = np.where(p >= usual, p, -1)
    sure, likely = above.max(1) >= 0, above.argmax(1)
    joint = np.zeros((classes, classes))
    np.add.at(joint, (labels[sure], likely[sure]), 1)
    joint *= (np.bincount(labels, minlength=classes) / np.maximum(joint.sum(1), 1))[:, None]
    joint *= count / joint.sum()
    found = np.zeros(count, bool)
    for given in range(classes):
        rows = np.flatnonzero(labels == given)
        for other in set(range(classes)) - {given}:
            pruned = round(joint[given, other])
            found[rows[np.argsort(own[rows] - p[rows, other], kind="stable")[:pruned]]] = True
    return found


def judged(data: Data, labels: I64, seed: int) -> F32:
    """Probabilities out of sample, as `ursa check` has them."""
    vectors, targets, groups = data
    fitted = probe.fit(vectors, labels, int(targets.max()) + 1, groups=groups, seed=seed)
    more = probe.fold_repeats(fitted, vectors, labels, groups=groups, seed=seed, folds=5, repeats=REPEATS - 1)
    return mean_probabilities([fitted.probabilities, *more])


def summarized(name: str, found: dict[tuple[str, str, float], list[list[float]]], of: object) -> list[str]:
    assert callable(of)
    columns = np.array([row for key, rows in found.items() if of(key) for row in rows]).T
    means = [float(np.mean(some[~np.isnan(some)])) if (~np.isnan(some)).any() else np.nan for some in columns]
    shares = ["" if np.isnan(value) else f"{100 * value:.0f} %" for value in means[10:]]
    return [name, *(f"{value:.3f}" for value in means[:9]), f"{means[9]:.2f}", *shares]


def mask(rows: I64, like: Mask) -> Mask:
    chosen = np.zeros(len(like), bool)
    chosen[rows] = True
    return chosen


def f1(chosen: Mask, wrong: Mask) -> float:
    return float(2 * (chosen & wrong).sum() / max(chosen.sum() + wrong.sum(), 1))


def sets() -> dict[str, tuple[Data, F32]]:
    """name -> pictures as the probe gets them, and vectors by another network, whose mistakes are planted."""
    known = {name: (kept(name, False), kept(name, True)[0]) for name in ("dogs_cats", "clothing")}
    digits = kept("mnist_12k", True)
    return {**known, "mnist_12k": (digits, kept("mnist_12k", False)[0])}


def kept(name: str, pixels: bool) -> Data:
    """Embeddings from the temporary folder, or computed. Digits without `pixels`: the gray levels themselves."""
    place = Path(tempfile.gettempdir()) / f"ursa-wrong-labels-{name}-{'pixels' if pixels else 'other'}.npz"
    if not place.exists():
        if name != "mnist_12k":
            weights = None if pixels else SQUEEZENET
            vectors, targets, groups = embedded(shared(name), "pixels" if pixels else BACKBONE, weights)
        else:
            vectors, targets, groups = digits(pixels)
        np.savez(place, vectors=vectors, targets=targets, groups=groups)
    with np.load(place) as file:
        return file["vectors"], file["targets"], file["groups"]


def digits(pixels: bool) -> Data:
    with np.load(SHARED / "data" / "mnist_12k.npz") as file:
        x, y = file["x_train"][:DIGITS], file["y_train"][:DIGITS]
    with tempfile.TemporaryDirectory() as folder:
        catalog = from_arrays((x, y), to=Path(folder) / "digits")
        numbers = np.array([int(Path(id).stem) for id in catalog.ids])
        if not pixels:
            return (x[numbers].reshape(len(x), -1) / 255).astype(np.float32), y[numbers].astype(np.int64), numbers
        vectors, targets, groups = embedded(Path(folder) / "digits", "pixels", None)
        assert (targets == y[numbers]).all()
        return vectors, targets, groups


def timed() -> str:
    """The sentence on time and memory."""
    with tempfile.TemporaryDirectory() as place:
        again = []
        for _ in range(2):
            start = time.perf_counter()
            check(shared("dogs_cats"), backbone=BACKBONE, weights=SQUEEZENET, workspace=place, progress=False)
            again.append(time.perf_counter() - start)
    draw, classes, count = np.random.default_rng(0), 10, 50_000
    targets = draw.integers(0, classes, count)
    vectors = draw.normal(size=(count, 512)).astype(np.float32)
    vectors += (0.25 * draw.normal(size=(classes, 512))).astype(np.float32)[targets]
    labels = np.where(draw.random(count) < 0.1, draw.integers(0, classes, count), targets)
    start = time.perf_counter()
    groups = np.arange(count)
    fitted = probe.fit(vectors, labels, classes, groups=groups)
    more = probe.fold_repeats(fitted, vectors, labels, groups=groups, seed=0, folds=5, repeats=REPEATS - 1)
    ids, names = [str(row) for row in range(count)], [str(k) for k in range(classes)]
    audit_labels(ids, names, labels, [fitted.probabilities, *more], vectors, groups)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return (
        f"`ursa check` of dogs_cats: {again[0]:.1f} s, from a warm store {again[1]:.1f} s. 50,000 embeddings of 512 "
        f"numbers, 10 % wrong: probe, repeats and findings {seconds:.0f} s, peak memory {peak:.1f} GB."
    )


if __name__ == "__main__":
    main()
