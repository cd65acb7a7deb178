"""Fine-tuning that will not beat the probe is ended early, as Optuna prunes trials: a third of the way on, and after.

How a run stands is known by its paired comparison with the probe. What that will have come to in the end is a normal
guess around where it is now, somewhat higher and the wider the more is left: the conditional power of a trial that is
stopped for futility (Lan, Simon and Halperin 1982), with drift and spread measured on real runs (docs/decisions.md).
"""

import math
from collections.abc import Callable
from statistics import NormalDist

from ursa.training.model_selection import Z_LEVEL, PairedComparison

FIRST = 1 / 3  # of all steps, before which nothing is said: where training falls at first it climbs later
DRIFT = 0.2  # what the comparison's z rises by in a whole run (benchmarks/kept.py: 0.0 to 0.2 from a third on)
SPREAD = 1.1  # standard deviation of that (0.7 to 1.2)


def chance_to_win(z: float, done: float) -> float:
    """z of the comparison with the probe now, done: share of the steps -> how likely it is kept in the end."""
    left = max(1 - done, 1e-9)
    return 1 - NormalDist().cdf((Z_LEVEL - z - DRIFT * left) / (SPREAD * math.sqrt(left)))


class Pruner:
    """Asked after each step: the reason to stop, once there is one."""

    def __init__(self, compare: Callable[[], PairedComparison], steps: int, per_epoch: int, below: float) -> None:
        """compare: the model as it is now with the probe, which costs a pass over the validation pictures.

        steps: of the whole run; below: the chance to win from which on training goes on, 0: whatever it is.
        """
        self.compare, self.steps, self.per_epoch, self.below = compare, steps, per_epoch, below
        self.reason: str | None = None
        self.first = max(per_epoch, math.ceil(FIRST * steps))

    def __call__(self, step: int) -> str | None:
        """step: how many are done. It looks after a third of them, a whole epoch at least, and as later epochs end."""
        looks = step == self.first or (step > self.first and step % self.per_epoch == 0)
        if not self.below or not looks or step >= self.steps:
            return None
        chance = chance_to_win(self.compare().z, step / self.steps)
        if chance < self.below:
            share = "less than 1" if chance < 0.01 else f"{100 * chance:.0f}"
            self.reason = f"a chance of {share} % to beat the probe"
        return self.reason
