"""Records of epochs and steps, whoever wrote them -> one value of arrays, which verdicts are drawn from."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]

# Metrics of which a lower value is better; of all others here a higher one is.
LOWER = ("error_rate", "error", "mae", "mse", "rmse", "mean_absolute_error", "mean_squared_error", "mape")
SHARES = ("accuracy", "acc", "balanced_accuracy", "top_1_accuracy", "error_rate", "error", "exact_match")  # of examples
HIGHER = (*SHARES[:4], "exact_match", "f1", "f1_macro", "f1_score", "auc", "auroc", "roc_auc", "r2", "dice", "iou")


@dataclass(frozen=True)
class NetworkFacts:
    """What is known of a run beside its history; None: unknown."""

    classes: int | None = None  # of a classification
    valid_count: int | None = None  # examples of the validation part
    largest_class: float | None = None  # its share of the validation part
    predicted_share: float | None = None  # of validation examples predicted as the class that is predicted most
    response: float | None = None  # how much outputs differ between examples, relative to their size; 0: constant
    dead_units: float | None = None  # share of rectified units that are never above 0, in the layer with most
    lr: float | None = None  # the largest that was asked for
    regularized: bool = False  # augmentation, dropout, mixup or label smoothing: the training loss is no fair one
    diverged: bool = False  # training ended as the loss or the weights were no longer finite
    stopped: bool = False  # it was ended before its last epoch, on purpose
    pretrained: bool = False  # it began with a network that could do the task already, such as a probe


@dataclass(frozen=True)
class TrainingHistory:
    """A training run: arrays over its E epochs and S steps, NaN where nothing was measured."""

    epoch: F64  # [E] from 1 on
    train_loss: F64  # [E] mean over the epoch
    valid_loss: F64  # [E] after it
    error: F64  # [E] likewise, lower is better: 1 - accuracy; of other metrics the value, or its negative
    metric: str = ""  # what `error` comes from; "": there is none
    share: bool = False  # whether it is a share of examples
    start: tuple[float, float] = (math.nan, math.nan)  # validation loss and error before the first step
    step_loss: F64 = field(default_factory=lambda: np.empty(0))  # [S] of the batch of each step
    step_lr: F64 = field(default_factory=lambda: np.empty(0))  # [S]
    spoiled: str = ""  # where the first loss was NaN or infinite: "epoch 3", "step 12"
    facts: NetworkFacts = NetworkFacts()

    def __len__(self) -> int:
        return len(self.epoch)

    @property
    def validated(self) -> bool:
        """Whether anything was measured on a validation part."""
        return bool(np.isfinite(self.valid_loss).any() or np.isfinite(self.error).any())

    def with_facts(self, **known: Any) -> "TrainingHistory":
        """The same with some facts more."""
        return replace(self, facts=replace(self.facts, **known))


def from_records(
    records: Sequence[Mapping[str, Any]],
    steps: Iterable[Mapping[str, Any]] = (),
    *,
    metric: str | None = None,
    higher_is_better: bool | None = None,
    share: bool | None = None,
    facts: NetworkFacts | None = None,
) -> TrainingHistory:
    """Ursa's own records: {"epoch", "train_loss", "valid_loss", ...} an epoch, {"step", "loss", "lr"} a step.

    An epoch 0 is what was measured before the first step. metric: which of the other names is judged, where it is not
    one of HIGHER or LOWER; the first known one otherwise. What is no number counts as not measured.
    """
    records = [record for record in records if isinstance(record, Mapping)]
    name = metric or next((n for n in (*SHARES, *HIGHER, *LOWER) if any(n in record for record in records)), "")
    higher = name not in LOWER if higher_is_better is None else higher_is_better
    is_share = name in SHARES if share is None else share
    before = [record for record in records if number(record.get("epoch")) == 0]
    after = [record for record in records if number(record.get("epoch")) != 0]

    def column(key: str, rows: Sequence[Mapping[str, Any]]) -> F64:
        return np.array([number(row.get(key)) for row in rows], np.float64)

    def as_error(values: F64) -> F64:
        return np.asarray(1 - values if higher and is_share else -values if higher else values)

    first = before[-1] if before else {}
    of_steps = [step for step in steps if isinstance(step, Mapping)]
    return TrainingHistory(
        epoch=np.arange(1.0, len(after) + 1),
        train_loss=column("train_loss", after),
        valid_loss=column("valid_loss", after),
        error=as_error(column(name, after)) if name else np.full(len(after), math.nan),
        metric=name,
        share=is_share,
        start=(number(first.get("valid_loss")), float(as_error(column(name, [first]))[0]) if name else math.nan),
        step_loss=column("loss", of_steps),
        step_lr=column("lr", of_steps),
        spoiled=_spoiled(after, ("train_loss", "valid_loss"), "epoch") or _spoiled(of_steps, ("loss",), "step"),
        facts=facts or NetworkFacts(),
    )


def _spoiled(rows: Sequence[Mapping[str, Any]], keys: Sequence[str], word: str) -> str:
    """Where the first of these values is a number that is not finite."""
    for place, row in enumerate(rows, 1):
        if any(isinstance(row.get(key), float) and not math.isfinite(row[key]) for key in keys):
            return f"{word} {place}"
    return ""


def number(value: Any) -> float:
    """A finite or infinite number; NaN for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.floating | np.integer):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf
