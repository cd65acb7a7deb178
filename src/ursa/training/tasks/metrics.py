"""Outputs and targets of the whole validation part -> numbers that people read. Equal to scikit-learn's.

What is computed follows from the shapes: targets [N] of classes with outputs [N, K] are single labels; targets of the
outputs' shape are several labels an example (a label is said to be there where its logit is above 0), or numbers.
A user's metric is a function of that form, or a `Measure` where lower is better.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ursa.core import statistics as core
from ursa.errors import TrainingError, did_you_mean

Function = Callable[[Any, Any], float]


@dataclass(frozen=True)
class Metric:
    """A metric with its name, and whether more of it is better."""

    name: str
    function: Function
    higher_is_better: bool = True

    def __call__(self, outputs: Any, targets: Any) -> float:
        """outputs [N, ...], targets [N, ...] -> its value."""
        return float(self.function(outputs, targets))


def accuracy(outputs: Tensor, targets: Tensor) -> float:
    """Share of examples whose likeliest class is the given one; of several labels, the share of labels told right."""
    said, given = _said_and_given(outputs, targets)
    return _mean(said == given)


def error_rate(outputs: Tensor, targets: Tensor) -> float:
    """1 - accuracy."""
    return 1 - accuracy(outputs, targets)


def subset_accuracy(outputs: Tensor, targets: Tensor) -> float:
    """Share of examples that are right in every label."""
    said, given = _said_and_given(outputs, targets)
    return _mean((said == given).reshape(len(given), -1).all(1))


def top_k_accuracy(outputs: Tensor, targets: Tensor, k: int = 5) -> float:
    """Share of examples whose class is among the k likeliest; all of them where there are no more than k classes."""
    _of_classes(outputs, targets, "top_k")
    likeliest = outputs.topk(min(k, outputs.shape[1]), dim=1).indices
    return _mean((likeliest == targets[:, None]).any(1))


def precision(outputs: Tensor, targets: Tensor) -> float:
    """Of what was said to be a class, the share that is; mean over the classes (macro), 0 for one never said."""
    true, said, _ = _counts(outputs, targets)
    return _mean(_ratio(true, said))


def recall(outputs: Tensor, targets: Tensor) -> float:
    """Of a class, the share that was found; mean over the classes (macro), 0 for one that was said but never is."""
    true, _, given = _counts(outputs, targets)
    return _mean(_ratio(true, given))


def f1(outputs: Tensor, targets: Tensor) -> float:
    """Harmonic mean of precision and recall of each class, then the mean over the classes (macro)."""
    true, said, given = _counts(outputs, targets)
    return _mean(_ratio(2 * true, said + given))


def f1_per_label(outputs: Tensor, targets: Tensor) -> Tensor:
    """-> [K] float64: the F1 of each label or class; 0 for one that is neither given nor said."""
    true, said, given = _counts(outputs, targets, all_classes=True)
    return _ratio(2 * true, said + given)


def balanced_accuracy(outputs: Tensor, targets: Tensor) -> float:
    """Mean over the classes that occur of the share that was found (Brodersen et al. 2010)."""
    _of_classes(outputs, targets, "balanced_accuracy")
    true, _, given = _counts(outputs, targets)
    return _mean(_ratio(true, given)[given > 0])


def roc_auc(outputs: Tensor, targets: Tensor) -> float:
    """Chance that an example with the label has the higher score than one without it (Hanley and McNeil 1982).

    Mean over the labels that some examples have and some have not; single labels one against the rest. NaN if none.
    """
    return _mean_over_labels(_auc, outputs, targets)


def average_precision(outputs: Tensor, targets: Tensor) -> float:
    """Area under precision over recall in steps, mean over the labels that some examples have. NaN if none."""
    return _mean_over_labels(_average_precision, outputs, targets)


def mse(outputs: Tensor, targets: Tensor) -> float:
    """Mean squared error."""
    return _mean(_errors(outputs, targets).square())


def rmse(outputs: Tensor, targets: Tensor) -> float:
    """Root of the mean squared error, in the targets' units; of several numbers the mean of theirs."""
    return _mean(_errors(outputs, targets).square().mean(0).sqrt())


def mae(outputs: Tensor, targets: Tensor) -> float:
    """Mean absolute error, in the targets' units."""
    return _mean(_errors(outputs, targets).abs())


def r2(outputs: Tensor, targets: Tensor) -> float:
    """Share of the targets' variance that is explained; of several numbers the mean of theirs.

    For a target that never changes 1 if met exactly, else 0. NaN for a single example.
    """
    if len(targets) < 2:
        return math.nan
    left = _errors(outputs, targets).square().sum(0)
    values = targets.double().reshape(len(targets), -1)
    whole = (values - values.mean(0)).square().sum(0)
    changes = values.amax(0) > values.amin(0)
    return _mean(torch.where(changes, 1 - left / whole, (left == 0).double()))


MEASURES = (
    *(Metric(f.__name__, f) for f in (accuracy, subset_accuracy, precision, recall, f1, balanced_accuracy)),
    *(Metric(f.__name__, f) for f in (roc_auc, average_precision, r2)),
    *(Metric(f.__name__, f, higher_is_better=False) for f in (error_rate, mse, rmse, mae)),
)
BOOTSTRAPS = 500  # resampled parts for an interval: its ends are then off by a few percent of its width


def create(name: str) -> Metric:
    """ "accuracy" -> its Measure; "top_3" -> top_k with that k. Raises TrainingError for an unknown metric."""
    known = {measure.name: measure for measure in MEASURES}
    k = name.removeprefix("top_")
    if k != name and k.isdecimal() and int(k):
        return Metric(name, partial(top_k_accuracy, k=int(k)))
    if name not in known:
        raise TrainingError(f"unknown metric {name!r}", fix=did_you_mean(name, [*known, "top_5"]))
    return known[name]


def measures(metrics: Sequence[str | Function | Metric]) -> tuple[Metric, ...]:
    """Names, functions of one's own (more is better) and measures -> measures. Raises TrainingError for equal names."""
    found = tuple(_measure(metric) for metric in metrics)
    names = [measure.name for measure in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise TrainingError("two metrics have the same name", found=", ".join(twice), fix="Measure(name, function)")
    return found


def for_task(task: str) -> tuple[Metric, ...]:
    """ "single-label", "multi-label" or "regression" -> what is usually measured, the first one to judge epochs by."""
    usual = {
        "single-label": ("accuracy",),
        "multi-label": ("average_precision", "f1"),
        "regression": ("rmse", "r2"),
    }
    if task not in usual:
        raise TrainingError(f"there is no task {task!r}", fix=did_you_mean(task, usual))
    return measures(usual[task])


def of_part(name: str, metric: str | Function | Metric) -> Metric:
    """The metric of one of several outputs: of_part("kind", "accuracy") is "kind_accuracy" of dicts with "kind"."""
    inner = _measure(metric)
    return replace(inner, name=f"{name}_{inner.name}", function=lambda said, given: inner(said[name], given[name]))


def interval(measure: Metric, outputs: Any, targets: Any, *, seed: int = 0) -> core.Estimate:
    """The value with its 95 % interval: Wilson's for shares of examples, else by resampling the examples."""
    value = measure(outputs, targets)
    function = measure.function.func if isinstance(measure.function, partial) else measure.function
    shares = (subset_accuracy, top_k_accuracy, *((accuracy, error_rate) if getattr(targets, "ndim", 0) == 1 else ()))
    if function in shares:
        return core.proportion(round(value * len(targets)), len(targets), measure.name)

    def of(rows: "np.typing.NDArray[np.int64]") -> float:
        some = torch.from_numpy(rows)
        return measure(_taken(outputs, some), _taken(targets, some))

    return core.bootstrap(of, _length(targets), measure.name, repeats=BOOTSTRAPS, seed=seed)


def _measure(metric: str | Function | Metric) -> Metric:
    if isinstance(metric, Metric):
        return metric
    if isinstance(metric, str):
        return create(metric)
    own = next((measure for measure in MEASURES if measure.function is metric), None)
    return own or Metric(getattr(metric, "__name__", type(metric).__name__), metric)


def _said_and_given(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """-> classes [N], classes [N]; or of several labels bool [N, K], bool [N, K]."""
    if outputs.shape == targets.shape:
        return outputs > 0, targets > 0.5
    _of_classes(outputs, targets, "this metric")
    return outputs.argmax(1), targets


def _of_classes(outputs: Tensor, targets: Tensor, name: str) -> None:
    if outputs.ndim != 2 or tuple(targets.shape) != (len(outputs),) or targets.is_floating_point():
        found = f"outputs {list(outputs.shape)}, targets {list(targets.shape)} {targets.dtype}"
        raise TrainingError(f"{name} takes outputs [N, K] and whole classes [N]", found=found)
    if len(targets) and not 0 <= int(targets.min()) <= int(targets.max()) < outputs.shape[1]:
        found = f"{int(targets.min())} to {int(targets.max())} with {outputs.shape[1]} outputs"
        raise TrainingError("a label is out of range", found=found)


def _counts(outputs: Tensor, targets: Tensor, *, all_classes: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """-> true positives, said, given: [K] float64 each. Single labels: of the classes that are said or given at all."""
    said, given = _said_and_given(outputs, targets)
    if outputs.shape == targets.shape:
        both = said & given
        return tuple(x.reshape(len(x), -1).sum(0).double() for x in (both, said, given))  # type: ignore[return-value]
    classes = outputs.shape[1]
    true, of_said, of_given = (
        torch.bincount(x, minlength=classes).double() for x in (given[said == given], said, given)
    )
    some = (of_said + of_given > 0) | all_classes
    return true[some], of_said[some], of_given[some]


def _mean_over_labels(of: Callable[[Tensor, Tensor], float], outputs: Tensor, targets: Tensor) -> float:
    if outputs.shape == targets.shape:
        scores, there = outputs.reshape(len(outputs), -1), targets.reshape(len(targets), -1) > 0.5
    else:
        _of_classes(outputs, targets, "this metric")
        scores, there = outputs.double().softmax(1), torch.nn.functional.one_hot(targets, outputs.shape[1]).bool()
        if outputs.shape[1] == 2:  # the other label is the same question
            scores, there = (outputs[:, 1:] - outputs[:, :1]), there[:, 1:]
    values = [of(scores[:, k].double(), there[:, k]) for k in range(scores.shape[1])]
    known = [value for value in values if not math.isnan(value)]
    return math.fsum(known) / len(known) if known else math.nan


def _auc(scores: Tensor, there: Tensor) -> float:
    positive, count = int(there.sum()), len(there)
    if positive in (0, count):
        return math.nan
    _, place, equal = scores.unique(return_inverse=True, return_counts=True)
    ranks = (equal.cumsum(0) - (equal - 1) / 2)[place]  # ties share their mean rank, from 1
    above = (
        float(ranks[there].sum().item()) - positive * (positive + 1) / 2
    )  # pairs whose scores are in the right order
    return above / (positive * (count - positive))


def _average_precision(scores: Tensor, there: Tensor) -> float:
    positive = int(there.sum())
    if not positive:
        return math.nan
    _, place, equal = (-scores).unique(return_inverse=True, return_counts=True)  # the highest score first
    hits = torch.zeros(len(equal), dtype=torch.float64, device=scores.device).index_add_(0, place, there.double())
    return float((hits / positive * hits.cumsum(0) / equal.cumsum(0)).sum().item())


def _errors(outputs: Tensor, targets: Tensor) -> Tensor:
    """-> [N, D] float64."""
    if outputs.shape != targets.shape:
        found = f"outputs {list(outputs.shape)}, targets {list(targets.shape)}"
        raise TrainingError("errors of numbers need outputs and targets of the same shape", found=found)
    return (outputs.double() - targets.double()).reshape(len(targets), -1)


def _ratio(above: Tensor, below: Tensor) -> Tensor:
    return torch.where(below > 0, above / below.clamp(min=1), torch.zeros_like(above))


def _mean(values: Tensor) -> float:
    return values.double().mean().item()


def _taken(tree: Any, rows: Tensor) -> Any:
    if isinstance(tree, Tensor):
        return tree[rows.to(tree.device)]
    return {name: part[rows.to(part.device)] for name, part in tree.items()}


def _length(tree: Any) -> int:
    return len(tree) if isinstance(tree, Tensor) else len(next(iter(tree.values())))
