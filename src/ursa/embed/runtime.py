"""Which library takes pictures through a backbone on a CPU: OpenVINO where it was asked for or pays, else torch."""

from collections.abc import Callable
from dataclasses import dataclass

from ursa.core.decoding.image import Pixels
from ursa.embed import openvino_network
from ursa.embed.openvino_network import OpenVINONetwork
from ursa.embed.store import F32
from ursa.errors import DataError, TrainingError

RUNTIMES = ("auto", "torch", "openvino")
LARGE_PASS = 512  # pictures from which on compiling by OpenVINO, 1 to 2 s, is less than it saves (docs/benchmarks.md)

Forward = Callable[[Pixels], F32]  # views [N, S, S, 3] -> vectors [N, D]


@dataclass
class Runtime:
    """What was asked for, what is used, and why it is torch where OpenVINO was to be used. One for each engine."""

    wanted: str = "auto"
    used: str = "torch"
    problem: str | None = None

    def __post_init__(self) -> None:
        if self.wanted not in RUNTIMES:
            raise DataError("no such runtime", found=self.wanted, fix=f"one of {', '.join(RUNTIMES)}")

    def chosen(self, count: int) -> str:
        """ "openvino" or "torch" for so many pictures: what was asked for, else OpenVINO where it is there and pays."""
        if self.wanted != "auto":
            return self.wanted
        pays = count >= LARGE_PASS and self.problem is None and openvino_network.installed()
        return "openvino" if pays else "torch"

    def forward(self, count: int, by_torch: Forward, compiled: Callable[[], OpenVINONetwork]) -> Forward:
        """The fastest way to take `count` pictures forward; `compiled` makes the network for OpenVINO.

        Asked for by name, OpenVINO's failure is an error (TrainingError); by the rule it is noted, and torch does the
        work, or what is left of it: their embeddings are the same within the precision (`OpenVINONetwork` sees to it).
        """
        if self.chosen(count) == "torch":
            return by_torch
        try:
            network = compiled()
        except TrainingError as problem:
            self._failed(problem)
            return by_torch
        self.used = "openvino"

        def forward(views: Pixels) -> F32:
            if self.used == "openvino":
                try:
                    return network(views)
                except RuntimeError as problem:
                    self._failed(openvino_network.unusable(openvino_network.reason(problem)))
            return by_torch(views)

        return forward

    def _failed(self, problem: TrainingError) -> None:
        if self.wanted == "openvino":
            raise problem
        self.used, self.problem = "torch", f"{problem.what}: {problem.found}"
