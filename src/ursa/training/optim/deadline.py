"""Training against the clock: however fast the machine turns out to be, the schedule ends and the last step is in time.

deadline = Deadline(seconds=60, after=8)
fit(..., schedule=deadline.schedule(one_cycle()), stop=deadline.over)
"""

import math
import statistics
import time
from collections import deque
from collections.abc import Callable

from ursa.errors import TrainingError
from ursa.training.optim.schedules import Schedule

RECENT = 9  # steps whose median says how fast the machine is now
MOST = 4.0  # times as slow as planned: what is put aside grows no further, or a short stall would end the run


class Deadline:
    """A deadline for training, with time put aside for what comes after it. Training begins when it is made."""

    def __init__(
        self, seconds: float, after: float = 0.0, step: float = 0.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """seconds: from now to the end of everything; after: of them, what evaluating, writing and so on will take.

        step: seconds that a step was planned to take; when steps take longer, so will what comes after, and more is put
        aside. 0: unknown. clock: seconds from anywhere.
        """
        if not math.isfinite(seconds) or not 0 <= after < math.inf:
            raise TrainingError(
                "a deadline needs a finite number of seconds", found=f"{seconds}, of them {after} after"
            )
        self.clock, self.after, self.planned = clock, after, step
        self.began = self._told = clock()
        self.end = self.began + seconds
        self._share = 0.0
        self._steps: deque[float] = deque(maxlen=RECENT)

    def schedule(self, schedule: Schedule) -> Schedule:
        """The same schedule by whichever is further on, steps or time: at the deadline it has come to its end."""
        return lambda done: schedule(max(done, self.share()))

    def share(self) -> float:
        """Of the time, what will have gone by at the end of the step that begins now; never less than before."""
        room = max(self.end_of_training() - self.began, 1e-9)
        gone = (self.clock() + self.usual() - self.began) / room
        self._share = min(1.0, max(self._share, gone))
        return self._share

    def over(self) -> bool:
        """Is there no time for another step? To be asked after each one."""
        now = self.clock()
        self._steps.append(now - self._told)
        self._told = now
        return now + self.usual() > self.end_of_training()

    def usual(self) -> float:
        """Seconds that a step takes now."""
        return statistics.median(self._steps) if self._steps else self.planned

    def end_of_training(self) -> float:
        """When training has to end, on `clock`."""
        slow = self.usual() / self.planned if self.planned else 1.0
        return self.end - self.after * min(max(1.0, slow), MOST)
