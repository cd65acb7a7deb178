"""Gaps that are planted: how often they are told from chance, whether what is named first is the largest, and how often
intervals hold the true gap.

Heads on stored embeddings. Variance: 5 pictures a class to learn from. Avoidable bias: a head that sees 3 of the
principal components. Data mismatch: noise in the embeddings of validation and test pictures. Overfitting to the
validation part: the best of 400 heads on 5 random components, by 40 validation pictures. True is what a head gets on
pictures in no part, with the same noise; of overfitting, less what it got where it was chosen.
"""

import sys

import numpy as np
import numpy.typing as npt
from common import BACKBONE, SQUEEZENET, report, shared
from probe import embedded
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

from ursa.core import seeds
from ursa.diagnose.gaps import BIAS, MISMATCH, OVERFITTING, VARIANCE, Count, gaps

DRAWS = 40
VALID, TEST = 120, 200  # pictures, and as many train-dev as validation pictures
NOISE = 1.2  # of mismatch, in deviations of a component
HEADS, CHOSEN_BY, SEEN = 400, 40, 5  # of overfitting

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]
Head = tuple[LogisticRegression, I64]  # and the components that it sees
NAMES = ("train", "train_dev", "valid", "test", "rest")


def main() -> None:
    draws = int(sys.argv[1]) if len(sys.argv) > 1 else DRAWS
    rows = []
    for name in ("dogs_cats", "clothing"):
        vectors, targets, _ = embedded(shared(name), BACKBONE, SQUEEZENET)
        components = PCA(64, whiten=True, random_state=0).fit_transform(vectors)
        for gap in (BIAS, VARIANCE, MISMATCH, OVERFITTING):
            found = [planted(gap, components, targets, draw) for draw in range(draws)]
            first, told, held, alarms, size = (np.mean([row[column] for row in found]) for column in range(5))
            shares = [f"{100 * share:.0f} %" for share in (told, first, held)]
            rows.append([name, gap, f"{100 * size:.1f}", *shares, f"{100 * alarms:.1f} %"])
    columns = [
        "data",
        "planted",
        "points",
        "told from chance",
        "the first is the largest",
        "intervals hold the true gaps",
    ]
    columns += ["told where there is none"]
    note = (
        f"{draws} draws each; {VALID} train-dev and validation pictures, {CHOSEN_BY} for overfitting, {TEST} test "
        "pictures. The first is the largest: within 3 points of the largest true gap, of those named. None: data "
        "mismatch and overfitting where they are not planted."
    )
    report("gaps", "Gaps: planted, and named", columns, rows, note)


def planted(gap: str, x: F64, targets: I64, number: int) -> tuple[float, ...]:
    """Shares: the one named first is the largest, the planted one is told, intervals hold the true gaps, gaps that are
    none are told; and the true size of the planted one."""
    draw = seeds.generator(number, "gaps", len(x))
    parts = divided(gap, targets, draw)
    noisy = x + NOISE * draw.normal(size=x.shape) if gap == MISMATCH else x
    seen = {name: noisy if name in ("valid", "test", "rest") else x for name in NAMES}
    head = chosen(x, targets, parts, draw) if gap == OVERFITTING else fitted(x, targets, parts["train"], gap == BIAS)

    def wrong(name: str, vectors: F64) -> Count:
        model, some = head
        answers = model.predict(vectors[parts[name]][:, some])
        return int((answers != targets[parts[name]]).sum()), len(parts[name])

    counts = {name: wrong(name, seen[name]) for name in NAMES[:4]}
    found = gaps(counts["train"], counts["valid"], train_dev=counts["train_dev"], test=counts["test"])
    clean, real = share(wrong("rest", x)), share(wrong("rest", noisy))
    true = {
        BIAS: share(counts["train"]),
        VARIANCE: clean - share(counts["train"]),
        MISMATCH: share(counts["valid"]) - clean if gap == OVERFITTING else real - clean,  # of what was chosen there
        OVERFITTING: real - share(counts["valid"]) if gap == OVERFITTING else 0.0,
    }
    told = {row.name: row.told for row in found.rows}
    held = [row.size.low <= true[row.name] <= row.size.high for row in found.rows if row.name != BIAS]
    none = [told[name] for name in (MISMATCH, OVERFITTING) if name != gap]
    largest = found.largest is not None and true[found.largest.name] >= max(true.values()) - 0.03
    return float(largest), float(told[gap]), float(np.mean(held)), float(np.mean(none)), true[gap]


def divided(gap: str, targets: I64, draw: np.random.Generator) -> dict[str, I64]:
    """Rows of each part, drawn at random; what is in none is the rest."""
    order = draw.permutation(len(targets))
    valid = CHOSEN_BY if gap == OVERFITTING else VALID
    edges = np.cumsum([TEST, valid, VALID])
    test, dev, train_dev, others = np.split(order, edges)
    learn = others[: len(others) // 2]
    if gap == VARIANCE:
        learn = np.concatenate([learn[targets[learn] == k][:5] for k in np.unique(targets)])
    return {"train": learn, "train_dev": train_dev, "valid": dev, "test": test, "rest": others[len(others) // 2 :]}


def fitted(x: F64, targets: I64, rows: I64, weak: bool) -> Head:
    some = np.arange(3 if weak else x.shape[1])
    return LogisticRegression(C=0.1, max_iter=300).fit(x[rows][:, some], targets[rows]), some


def chosen(x: F64, targets: I64, parts: dict[str, I64], draw: np.random.Generator) -> Head:
    """The best of many heads by the validation pictures."""
    best: tuple[float, Head] | None = None
    rows, valid = parts["train"][:150], parts["valid"]
    for _ in range(HEADS):
        some = draw.permutation(x.shape[1])[:SEEN]
        model = LogisticRegression(max_iter=50, tol=1e-2).fit(x[rows][:, some], targets[rows])
        right = float((model.predict(x[valid][:, some]) == targets[valid]).mean())
        if best is None or right > best[0]:
            best = right, (model, some)
    assert best is not None
    return best[1]


def share(count: Count) -> float:
    return count[0] / count[1]


if __name__ == "__main__":
    main()
