"""Tagged mistakes -> the share of each cause, and the accuracy that there would be at most if it were solved.

The error analysis of Ng (Machine Learning Yearning, chapters 14 to 17): a look at a hundred mistakes says what is worth
working on before anybody works on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ursa.core import seeds, statistics
from ursa.core.statistics import Estimate

WRONG_LABEL = "label is wrong"  # the tag that says nothing against the model
DRAWS = 20_000  # of the posterior: the ends of an interval are then good to 0.1 points


@dataclass(frozen=True)
class Cause:
    """What a part of the mistakes have in common."""

    name: str
    count: int  # of the tagged mistakes
    share: Estimate  # of all mistakes
    ceiling: Estimate  # accuracy, were all of these right
    examples: tuple[str, ...]  # picture ids

    def __str__(self) -> str:
        low, most, high = (f"{100 * end:.1f}" for end in (self.ceiling.low, self.ceiling.value, self.ceiling.high))
        return f"if all {self.name!r} were right, accuracy would be at most {most} % ({low} to {high})"

    def to_json(self) -> dict[str, Any]:
        """{"cause", "count", "share", "ceiling", "examples"}."""
        return {
            "cause": self.name,
            "count": self.count,
            "share": self.share.to_json(),
            "ceiling": self.ceiling.to_json(),
            "examples": list(self.examples),
        }


def error_causes(tags: Mapping[str, tuple[str, ...]], mistakes: int, pictures: int) -> list[Cause]:
    """tags: of each mistake that was looked at, drawn at random from `mistakes` among `pictures` -> the causes, the
    most frequent first.

    A mistake may have several tags, so shares add up to more than all. Share: Wilson's interval. Ceiling: 1 - error *
    (1 - share), whose interval comes from both counts, each with Jeffreys' prior.
    """
    names = list(dict.fromkeys(name for some in tags.values() for name in some))
    found = []
    for name in names:
        ids = tuple(id for id, some in tags.items() if name in some)
        share = statistics.proportion(len(ids), len(tags), f"of {len(tags):,} tagged mistakes")
        found.append(Cause(name, len(ids), share, _ceiling(len(ids), len(tags), mistakes, pictures), ids[:5]))
    return sorted(found, key=lambda cause: (-cause.count, cause.name))


def accuracy_so_far(mistakes: int, pictures: int) -> Estimate:
    """Of what made the mistakes."""
    return statistics.proportion(pictures - mistakes, pictures, "the pictures that the mistakes were found among")


def _ceiling(count: int, tagged: int, mistakes: int, pictures: int) -> Estimate:
    value = 1 - mistakes / pictures * (1 - count / tagged)
    draw = seeds.generator(0, "error analysis", count, tagged, mistakes, pictures)
    drawn = 1 - _beta(draw, mistakes, pictures) * _beta(draw, tagged - count, tagged)
    low, high = np.quantile(drawn, (0.025, 0.975)).tolist()
    method = f"accuracy if {count:,} of {tagged:,} tagged mistakes were right; 95 % interval of both counts"
    return Estimate(value, min(low, value), max(high, value), method, share=True)


def _beta(draw: np.random.Generator, hits: int, total: int) -> npt.NDArray[np.float64]:
    return draw.beta(hits + 0.5, total - hits + 0.5, DRAWS)
