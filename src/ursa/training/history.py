"""What happened: every step and every epoch. Losses stay on their device until they are read, many at once."""

import html
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from ursa.training.loop import Step

AT_ONCE = 200  # steps whose losses are read together: reading one by one would make an accelerator wait each time


EXPLODED = 1e12  # a loss that is so many times the first one comes from weights that run away, if it is finite or not
COLUMNS = 6  # of the last epoch, in a short text
ROWS = 20  # the last epochs, in a notebook


@dataclass
class History:
    """What happened in all fits so far."""

    steps: list[dict[str, float]] = field(default_factory=list)  # {"step", "epoch", "loss", "lr"} each
    epochs: list[dict[str, float]] = field(default_factory=list)  # {"epoch", "train_loss", ..., "seconds"} each
    stopped: str | None = None  # why it ended before its last epoch: "interrupted", "no better", "time", an observer's
    unread: list[Step] = field(default_factory=list, repr=False)

    def __repr__(self) -> str:
        last = {name: value for name, value in (self.epochs[-1] if self.epochs else {}).items() if name != "seconds"}
        words = ", ".join(f"{name} {value:.4g}" for name, value in [*last.items()][:COLUMNS])
        stopped = f"; stopped: {self.stopped}" if self.stopped else ""
        return f"History({len(self.steps):,} steps; {words or 'no epoch yet'}{stopped})"

    def _repr_html_(self) -> str:
        names = [*dict.fromkeys(name for record in self.epochs for name in record)]
        head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
        rows = (
            "".join(f"<td>{record[name]:.4g}</td>" if name in record else "<td></td>" for name in names)
            for record in self.epochs[-ROWS:]
        )
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def add(self, step: Step) -> bool:
        """Note a step. True when it is time to `read`."""
        self.unread.append(step)
        return step.ends_epoch or len(self.unread) >= AT_ONCE

    def read(self) -> Step | None:
        """Read the losses that were noted. -> the first step whose loss is not finite or beyond all measure, if any."""
        steps, self.unread = self.unread, []
        if not steps:
            return None
        losses = torch.stack([step.loss for step in steps]).tolist()
        known = zip(steps, losses, strict=True)
        self.steps += [{"step": s.number, "epoch": s.epoch, "loss": loss, "lr": s.lr} for s, loss in known]
        most = EXPLODED * max(1.0, abs(self.steps[0]["loss"]))
        return next((s for s, loss in zip(steps, losses, strict=True) if not abs(loss) < most), None)

    def train_loss(self, epoch: int) -> float:
        """The mean loss of an epoch's steps (0 for the first) that have been read."""
        losses = []
        for step in reversed(self.steps):
            if step["epoch"] < epoch:
                break
            if step["epoch"] == epoch:
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
