"""What happened: every step and every epoch. Losses stay on their device until they are read, many at once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ursa.training.loop import Step

AT_ONCE = 200  # steps whose losses are read together: reading one by one would make an accelerator wait each time


@dataclass
class History:
    """steps: {"step", "epoch", "loss", "lr"} each; epochs: {"epoch", "train_loss", ..., "seconds"} each."""

    steps: list[dict[str, float]] = field(default_factory=list)
    epochs: list[dict[str, float]] = field(default_factory=list)
    stopped: str | None = None  # why it ended before its last epoch: "interrupted", "no better", "time"
    unread: list[Step] = field(default_factory=list, repr=False)

    def add(self, step: Step) -> bool:
        """Note a step. True when it is time to `read`."""
        self.unread.append(step)
        return step.ends_epoch or len(self.unread) >= AT_ONCE

    def read(self) -> Step | None:
        """Read the losses that were noted. -> the first step whose loss is not finite, if there is one."""
        steps, self.unread = self.unread, []
        if not steps:
            return None
        losses = torch.stack([step.loss for step in steps]).tolist()
        known = zip(steps, losses, strict=True)
        self.steps += [{"step": s.number, "epoch": s.epoch, "loss": loss, "lr": s.lr} for s, loss in known]
        return next((s for s, loss in zip(steps, losses, strict=True) if not abs(loss) < float("inf")), None)

    def train_loss(self, epoch: int) -> float:
        """The mean loss of an epoch's steps (0 for the first) that have been read."""
        losses = []
        for step in reversed(self.steps):
            if step["epoch"] < epoch:
                break
            losses.append(step["loss"])
        return sum(losses) / max(1, len(losses))

    def take(self, other: "History") -> None:
        """Become what another one is."""
        self.steps, self.epochs, self.stopped, self.unread = other.steps, other.epochs, other.stopped, []

    def to_json(self) -> dict[str, Any]:
        """As a document."""
        return {"steps": self.steps, "epochs": self.epochs, "stopped": self.stopped}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "History":
        """What `to_json` gave."""
        return cls(list(document["steps"]), list(document["epochs"]), document.get("stopped"))


@dataclass(frozen=True)
class Best:
    """The best epoch so far and the weights that it ended with."""

    epoch: int  # 0: before the first
    record: dict[str, float]
    weights: dict[str, Tensor]
