"""Pictures without labels, labeled by a simulated person: clicks until a probe is nearly as good as with all labels.

A row of alike pictures costs a click, and one more for each picture that is taken out of it, which stays unlabeled; a
single picture costs a click. The probe learns from what is labeled and from the rest, and is judged on other pictures.
Embeddings are those of wrong_labels.py: SqueezeNet's of photos, pixels of digits.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from common import report
from wrong_labels import kept

from ursa.clean.labeling.alike import group_alike, likeness, row_size
from ursa.clean.labeling.expected_accuracy import AHEAD, SHARE, expected_accuracy
from ursa.clean.labeling.next_to_label import next_to_label, sure_rows
from ursa.core import seeds
from ursa.embed import probe
from ursa.embed.probe import Head
from ursa.workflow.labeling.labeling import ALIKE_ROWS, HELD_OUT

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

SETS = {"clothing": (False, 800), "mnist_12k": (True, 1000)}  # pixels, pictures to label
SEEDS = 4
STEP = 20  # clicks between two judgments
SMOOTH = 61  # clicks that the mean curve is smoothed over: three judgments
GOOD = 0.95  # of the accuracy with all labels
BATCH = 5  # pictures between two fits


@dataclass
class Person:
    """Who labels, and what it costs."""

    vectors: F32
    targets: I64
    classes: int
    seed: int
    from_rest: bool = True  # whether the probe learns from what has no label, too
    labels: I64 = field(init=False)
    clicks: int = 0
    outcomes: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.labels = np.full(len(self.targets), -1)
        self.like = likeness(self.vectors)
        self.order = seeds.generator(self.seed, "order of hashes").permutation(len(self.targets))

    def row(self, rows: I64) -> None:
        said = self.targets[rows]
        if not len(said):
            return
        same = said == np.bincount(said).argmax()
        self.labels[rows[same]] = said[same]
        self.clicks += 1 + int((~same).sum())
        self.outcomes.append((int(same.sum()), len(rows)))

    def one(self, row: int) -> None:
        self.labels[row] = self.targets[row]
        self.clicks += 1

    @property
    def labeled(self) -> Mask:
        return self.labels >= 0

    def judges(self) -> I64:
        known = self.labeled[self.order]
        return self.order[: len(known) if known.all() else int(known.argmin())]

    def fit(self) -> tuple[probe.Probe, I64]:
        """As the session does: a small random part is held out at once."""
        rows = np.flatnonzero(self.labeled)
        judges, groups = np.isin(rows, self.judges()), np.arange(len(rows))
        if 0 < judges.sum() <= HELD_OUT * len(rows):
            groups[judges] = -1
        rest = self.vectors[~self.labeled] if self.from_rest else None
        return probe.fit(self.vectors[rows], self.labels[rows], self.classes, groups=groups, unlabeled=rest), rows

    def ready(self) -> bool:
        counts = np.bincount(self.labels[self.labeled], minlength=self.classes)
        return int((counts > 1).sum()) >= 2


def one_by_one(person: Person) -> Iterator[None]:
    for row in person.order:
        person.one(int(row))
        yield


def guided(person: Person) -> Iterator[None]:
    """As `ursa.workflow.labeling` shows them."""
    yield from cold(person)
    while not person.labeled.all():
        free = np.flatnonzero(~person.labeled)
        probabilities = person.fit()[0].head.probabilities(person.vectors[free])
        for row in free[next_to_label(probabilities, person.like[free], BATCH, seed=person.seed)]:
            person.one(int(row))
            yield
        while len(person.judges()) < SHARE * person.labeled.sum() and not person.labeled.all():
            person.one(int(person.order[len(person.judges())]))
            yield


def all_of_them(person: Person) -> Iterator[None]:
    """Every picture, in rows that are sure while there are some."""
    yield from cold(person)
    while not person.labeled.all():
        free = np.flatnonzero(~person.labeled)
        probabilities = person.fit()[0].head.probabilities(person.vectors[free])
        sure = sure_rows(probabilities)
        for some in sure:
            person.row(free[some.rows])
        for row in free[next_to_label(probabilities, person.like[free], 4 * BATCH, seed=person.seed)]:
            if person.labels[row] < 0:
                person.one(int(row))
        yield


def cold(person: Person) -> Iterator[None]:
    while len(person.outcomes) < ALIKE_ROWS or not person.ready():
        size = row_size(person.outcomes)
        for rows in group_alike(person.like, person.labeled, count=5, size=size, seed=person.seed):
            person.row(rows)
            yield


WAYS = {"random": (one_by_one, False), "random, from the rest": (one_by_one, True), "guided": (guided, True)}


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else SEEDS
    rows, judged = [], []
    for name, (pixels, size) in SETS.items():
        vectors, targets, _ = kept(name, pixels)
        classes, full, reached, every = int(targets.max()) + 1, [], [], []
        curves: dict[str, list[tuple[F64, F64]]] = {way: [] for way in WAYS}
        for seed in range(count):
            draw = seeds.generator(seed, "pictures to label").permutation(len(targets))
            pool, test = draw[:size], draw[size:]
            true = vectors[test], targets[test]
            full.append(right(probe.fit(vectors[pool], targets[pool], classes).head, *true))
            for way, (walk, from_rest) in WAYS.items():
                person = Person(vectors[pool], targets[pool], classes, seed, from_rest)
                curve, told = followed(person, walk(person), GOOD * full[-1], true)
                curves[way].append(curve)
                judged += told if way == "guided" else []
            person = Person(vectors[pool], targets[pool], classes, seed)
            for _ in all_of_them(person):
                pass
            every.append(person.clicks)
            print(
                name,
                seed,
                round(full[-1], 3),
                [curve[0][-1] for some in curves.values() for curve in some[-1:]],
                every[-1],
                flush=True,
            )
        reached = [clicks_to(curves[way], GOOD * float(np.mean(full))) for way in WAYS]
        at = [" / ".join(f"{100 * accuracy_at(curves[way], clicks):.1f}" for way in WAYS) for clicks in (60, 120, 200)]
        rows.append(
            [
                *(name, size, f"{100 * np.mean(full):.1f} %", *(f"{some:.0f}" for some in reached)),
                *(f"{reached[-1] / some:.2f}" for some in reached[:-1]),
                *(*at, f"{np.mean(every):.0f}"),
            ]
        )
        print(rows[-1], flush=True)
    columns = ["data", "pictures", "accuracy with all labels", "clicks to 95 % of it, one by one at random"]
    columns += ["the same, from the rest, too", "guided", "guided / random", "guided / random from the rest"]
    columns += ["% after 60 clicks, in this order", "after 120", "after 200", "clicks until all are labeled"]
    report("labeling", "Labeling pictures without labels", columns, rows, said(judged, count))


def followed(
    person: Person, walk: Iterator[None], enough: float, true: tuple[F32, I64]
) -> tuple[tuple[F64, F64], list[F64]]:
    """-> clicks and accuracies; at some of them what was expected (random part, all labels, ahead) and the truth."""
    clicks, found, expected, good, following = [0.0], [0.0], [], 0, STEP
    for _ in walk:
        if person.clicks < following or not person.ready():
            continue
        following = person.clicks + STEP
        fitted, rows = person.fit()
        clicks.append(float(person.clicks))
        found.append(right(fitted.head, *true))
        if len(clicks) % 3 == 0:
            fair = fitted.probabilities.argmax(1) == person.labels[rows]
            judges = np.isin(rows, person.judges())
            wrong = [errors(fitted, person, rows, folds) for folds in (5, 2)]
            outlook = expected_accuracy(fair[judges], len(rows), (wrong[0], wrong[1]))
            now = outlook.now
            expected.append(
                np.array([clicks[-1], now.value, now.low, now.high, fair.mean(), outlook.ahead.value, found[-1]])
            )
        good = good + 1 if found[-1] >= enough + 0.01 else 0
        if good >= 3:  # beyond chance
            break
    curve = np.array(clicks), np.array(found)
    return curve, [
        np.append(one, np.interp(one[0] + AHEAD, *curve) if one[0] + AHEAD <= clicks[-1] else np.nan)
        for one in expected
    ]


def errors(fitted: probe.Probe, person: Person, rows: I64, folds: int) -> int:
    """Labeled pictures that probes without their fold are wrong of."""
    known, groups = person.labels[rows], np.arange(len(rows))
    (said,) = probe.fold_repeats(fitted, person.vectors[rows], known, groups=groups, seed=0, folds=folds, repeats=1)
    return int((said.argmax(1) != known).sum())


def clicks_to(curves: list[tuple[F64, F64]], enough: float) -> float:
    """On the mean of the curves, each of which is held at its end."""
    grid = np.arange(0, max(clicks[-1] for clicks, _ in curves) + 1)
    mean = np.mean([np.interp(grid, *curve) for curve in curves], axis=0)
    mean = np.convolve(mean, np.ones(SMOOTH) / SMOOTH, "valid")
    grid = grid[SMOOTH // 2 :]
    reached = np.flatnonzero(mean >= enough)
    return float(grid[reached[0]]) if len(reached) else float("inf")


def accuracy_at(curves: list[tuple[F64, F64]], clicks: float) -> float:
    return float(np.mean([np.interp(clicks, *curve) for curve in curves]))


def right(head: Head, vectors: F32, targets: I64) -> float:
    return float((head.probabilities(vectors).argmax(1) == targets).mean())


def said(judged: list[F64], count: int) -> str:
    known = np.array([one for one in judged if np.isfinite(one[1])])
    later = known[np.isfinite(known[:, 7]) & np.isfinite(known[:, 5])]
    inside = ((known[:, 2] <= known[:, 6]) & (known[:, 6] <= known[:, 3])).mean()
    gain, truly = later[:, 5] - later[:, 1], later[:, 7] - later[:, 6]
    return (
        f"{count} draws of each; accuracy on the other pictures. What is expected now, {len(known)} times: by the "
        f"random part {100 * (known[:, 1] - known[:, 6]).mean():+.1f} points off on average, its interval holds "
        f"the truth in {100 * inside:.0f} %; by all labels {100 * (known[:, 4] - known[:, 6]).mean():+.1f} points off. "
        "Expected of "
        f"{AHEAD} labels more: {100 * gain.mean():+.1f} points; truly {100 * truly.mean():+.1f}."
    )


if __name__ == "__main__":
    main()
