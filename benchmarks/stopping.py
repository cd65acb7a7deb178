"""Simulated reviews that stop when they are told to: how often "at most M wrong labels are left" holds, and its price.

Errors are planted as in wrong_labels.py, whose embeddings are used, or drawn by margins; a person says the truth of
what is shown. Held: at every random picture up to the stop, the number left was at most M. Clopper and Pearson's limit
is computed from the same draws at each look, uncorrected.
"""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from common import report
from planted_labels import KINDS, planted
from wrong_labels import judged, sets

from ursa.clean.stopping.most_left import RandomDraws, ReviewAnswer, draws_needed, most_left
from ursa.clean.stopping.when_to_stop import ALLOWED, EVERY, next_to_review, when_to_stop
from ursa.clean.wrong_labels.label_margins import LabelMargins
from ursa.core import seeds
from ursa.core.statistics import binomial_tail
from ursa.embed import probe

F64 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Case = tuple[str, Callable[[int], tuple[F64, Mask]]]

SHARES = (0.05, 0.1, 0.2)
REVIEWS = 1000
OFTEN = 10  # answers between two fits, to save time; the page fits after each
PICTURES = 5000


@dataclass
class Review:
    answers: int
    random: int
    wrong: int
    left: int
    most: int
    held: bool
    planned: bool  # Clopper and Pearson's held at the first look that it would have stopped at


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else REVIEWS
    cases = [*planted_cases(), *drawn_cases()]
    rows, everything = [], []
    for number, (name, case) in enumerate(cases):
        some = [
            reviewed(*case(seed), seed)
            for seed in range(count * (number + 1) // len(cases) - count * number // len(cases))
        ]
        everything += some
        rows.append(row(name, some))
        print(rows[-1], flush=True)
    rows.append(row("all", everything))
    needed = ", ".join(
        f"{draws_needed(RandomDraws.of([], size), int(share * size)):,} of {size:,} for {100 * share:.0f} %"
        for size in (500, 1000, 5000, 50_000)
        for share in (0.02, 0.01)
    )
    note = (
        f"Stopped at {100 * ALLOWED:.0f} %. Looked at: pictures until the stop, and how many of them were random. "
        f"Random pictures that are needed where none of them is wrong: {needed}. {timed()}"
    )
    columns = ["errors", "reviews", "wrong", "looked at", "random", "left", "at most", "held at every look"]
    report("stopping", "When to stop a review", [*columns, "Clopper-Pearson, uncorrected"], rows, note)


def reviewed(margins: F64, wrong: Mask, seed: int) -> Review:
    draw, count = seeds.generator(seed, "review"), len(margins)
    order, mixed, seen = iter(np.argsort(-margins, kind="stable")), iter(draw.permutation(count)), np.zeros(count, bool)
    answers: list[ReviewAnswer] = []
    enough, most, found, held, planned, proving = int(ALLOWED * count), count, 0, True, None, False
    while most > enough and len(answers) < count:
        if len(answers) % OFTEN == 0:
            proving = when_to_stop(margins, answers).proving
        random = proving and len(answers) % EVERY > 0
        at = int(next(row for row in (mixed if random else order) if not seen[row]))
        answers.append(ReviewAnswer(at, bool(wrong[at]), count - len(answers) if random else 0))
        seen[at] = True
        found += int(wrong[at])
        if random:
            draws, left = RandomDraws.of(answers, count - len(answers)), int(wrong.sum()) - found
            most = most_left(draws)
            held &= left <= most
            if planned is None and (naive := clopper_pearson(draws)) <= enough:
                planned = left <= naive
    total = int(wrong.sum())
    random_count = sum(answer.drawn_from > 0 for answer in answers)
    return Review(len(answers), random_count, total, total - found, most, held, planned is not False)


def clopper_pearson(draws: RandomDraws) -> int:
    """What one would say who looks at the random pictures as if it was the only look."""
    hits = int(draws.wrong.sum())
    low, high = 0.0, 1.0
    while hits < draws.count and high - low > 1e-6:
        share = (low + high) / 2
        low, high = (share, high) if binomial_tail(hits, draws.count, share) > 0.05 else (low, share)
    return int(high * draws.pool)


def planted_cases() -> Iterator[Case]:
    for name, ((vectors, targets, groups), other) in sets().items():
        mistakes = probe.fit(other, targets, int(targets.max()) + 1, groups=groups).probabilities.astype(np.float64)
        for kind in KINDS:
            known = []
            for share in SHARES:
                labels = planted(
                    kind, targets, share, mistakes, seeds.generator(0, "planted labels", round(1000 * share))
                )
                p = judged((vectors, targets, groups), labels, 0)
                known.append((LabelMargins.of(p, labels).margins, labels != targets))
            yield f"{name}, {kind}", lambda seed, known=known: known[seed % len(known)]  # type: ignore[misc]


def drawn_cases() -> Iterator[Case]:
    for name, (start, slope, hidden) in {
        "drawn by margins": (-1.5, 2.0, 0.0),
        "the same, few": (-6.0, 2.0, 0.0),
        "the same, and 1 % anywhere": (-1.5, 2.0, 0.01),
        "the same, and 3 % anywhere": (-1.5, 2.0, 0.03),
    }.items():

        def case(seed: int, start: float = start, slope: float = slope, hidden: float = hidden) -> tuple[F64, Mask]:
            draw = seeds.generator(seed, "margins")
            margins = draw.normal(-3, 3, PICTURES)
            chance = np.maximum(1 / (1 + np.exp(-(start + slope * margins))), hidden)
            return margins, draw.random(PICTURES) < chance

        yield name, case


def row(name: str, some: list[Review]) -> list[str]:
    means = [np.mean([getattr(one, key) for one in some]) for key in ("wrong", "answers", "random", "left", "most")]
    held, planned = (100 * np.mean([getattr(one, key) for one in some]) for key in ("held", "planned"))
    return [name, f"{len(some):,}", *(f"{mean:,.0f}" for mean in means), f"{held:.1f} %", f"{planned:.1f} %"]


def timed() -> str:
    draw = np.random.default_rng(0)
    margins = draw.normal(-3, 3, 50_000)
    answers = [ReviewAnswer(int(row), k < 200, 0) for k, row in enumerate(np.argsort(-margins)[:600])]
    answers += [ReviewAnswer(-1, k % 90 == 0, 49_000 - k) for k in range(400)]
    seconds = []
    for action in (lambda: when_to_stop(margins, answers), lambda: next_to_review(margins, answers)):
        found = []
        for _ in range(9):
            start = time.perf_counter()
            action()
            found.append(time.perf_counter() - start)
        seconds.append(1000 * float(np.median(found)))
    left, shown = seconds
    return f"Of 50,000 labels after 1,000 answers: what is left takes {left:.0f} ms, what to show next {shown:.0f} ms."


if __name__ == "__main__":
    main()
