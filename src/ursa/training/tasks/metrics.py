"""Outputs and targets of the whole validation part -> numbers that people read.

What is computed follows from the shapes: targets [N] of classes with outputs [N, K] are single labels; targets of the
outputs' shape are several labels an example (a label is predicted where its logit is above 0), or numbers. Accuracy,
top-k and errors of numbers are computed on the device; the rest is scikit-learn's. A user's metric is a function of
that form, or a `Metric` where lower is better.
"""

import contextlib
import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ursa.core import statistics
from ursa.errors import TrainingError, did_you_mean
from ursa.training.tensor_tree import tree_leaves, tree_map

Function = Callable[[Any, Any], float]
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Metric:
    """A metric with its name, and whether more of it is better."""

    name: str  # in histories, tables and what `evaluate` returns
    function: Function  # (outputs, targets) of all examples -> number
    higher_is_better: bool = True

    def __call__(self, outputs: Any, targets: Any) -> float:
        """outputs [N, ...], targets [N, ...] -> its value."""
        return float(self.function(outputs, targets))


def accuracy(outputs: Tensor, targets: Tensor) -> float:
    """Share of examples whose likeliest class is the true one; of several labels, the share of right ones."""
    predicted, true = _predicted_and_true(outputs, targets)
    return _mean(predicted == true)


def error_rate(outputs: Tensor, targets: Tensor) -> float:
    """1 - accuracy."""
    return 1 - accuracy(outputs, targets)


def subset_accuracy(outputs: Tensor, targets: Tensor) -> float:
    """Share of examples that are right in every label."""
    predicted, true = _predicted_and_true(outputs, targets)
    return _mean((predicted == true).reshape(len(true), -1).all(1))


def top_k_accuracy(outputs: Tensor, targets: Tensor, k: int = 5) -> float:
    """Share of examples whose class is among the k likeliest; all of them where there are no more than k classes."""
    _check_classes(outputs, targets, "top_k_accuracy")
    likeliest = outputs.topk(min(k, outputs.shape[1]), dim=1).indices
    return _mean((likeliest == targets[:, None]).any(1))


def precision(outputs: Tensor, targets: Tensor) -> float:
    """Of what was predicted as a class, the share that is; macro average, 0 for a class that is never predicted."""
    return _macro("precision_score", outputs, targets)


def recall(outputs: Tensor, targets: Tensor) -> float:
    """Of a class, the share that was found; macro average, 0 for a class that is predicted but never true."""
    return _macro("recall_score", outputs, targets)


def f1(outputs: Tensor, targets: Tensor) -> float:
    """Harmonic mean of precision and recall of each class; macro average."""
    return _macro("f1_score", outputs, targets)


def balanced_accuracy(outputs: Tensor, targets: Tensor) -> float:
    """Mean over the classes that occur of the share that was found (Brodersen et al. 2010)."""
    from sklearn.metrics import balanced_accuracy_score

    _check_classes(outputs, targets, "balanced_accuracy")
    with _plain_sklearn():
        return float(balanced_accuracy_score(_array(targets), _array(outputs.argmax(1))))


def roc_auc(outputs: Tensor, targets: Tensor) -> float:
    """Chance that an example with the label has the higher score than one without it (Hanley and McNeil 1982).

    Mean over the labels that some examples have and some have not; single labels one against the rest. NaN if none.
    """
    from sklearn.metrics import roc_auc_score

    scores, there = _scores(outputs, targets)
    some = np.asarray(there.any(0) & ~there.all(0))
    if not some.any():
        return math.nan
    with _plain_sklearn():
        return float(roc_auc_score(_columns(there, some), _columns(scores, some), average="macro"))


def average_precision(outputs: Tensor, targets: Tensor) -> float:
    """Area under precision over recall in steps, mean over the labels that some examples have. NaN if none."""
    from sklearn.metrics import average_precision_score

    scores, there = _scores(outputs, targets)
    some = np.asarray(there.any(0))
    if not some.any():
        return math.nan
    with _plain_sklearn():
        return float(average_precision_score(_columns(there, some), _columns(scores, some), average="macro"))


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
    from sklearn.metrics import r2_score

    _errors(outputs, targets)
    if len(targets) < 2:
        return math.nan
    true, predicted = (_array(x).astype(np.float64).reshape(len(x), -1) for x in (targets, outputs))
    with _plain_sklearn():  # from the first example on, so that a column that never changes is exactly 0
        return float(r2_score(true - true[:1], predicted - true[:1]))


METRICS = (
    *(Metric(f.__name__, f) for f in (accuracy, subset_accuracy, precision, recall, f1, balanced_accuracy)),
    *(Metric(f.__name__, f) for f in (roc_auc, average_precision, r2)),
    *(Metric(f.__name__, f, higher_is_better=False) for f in (error_rate, mse, rmse, mae)),
)
# Resampled parts for an interval, most and least: its ends are then off by about 3 and 7 percent of its width.
BOOTSTRAPS = 500, 100
NUMBERS = 2_000_000  # outputs in all resampled parts together: scikit-learn takes about 1 s for as many


def create(name: str) -> Metric:
    """ "accuracy" -> its Metric; "top_3" -> top_k_accuracy with that k. Raises TrainingError for an unknown metric."""
    known = {metric.name: metric for metric in METRICS}
    k = name.removeprefix("top_")
    if k != name and k.isdecimal() and int(k):
        return Metric(name, partial(top_k_accuracy, k=int(k)))
    if name not in known:
        raise TrainingError(f"unknown metric {name!r}", fix=did_you_mean(name, [*known, "top_5"]))
    return known[name]


def to_metrics(wanted: Sequence[str | Function | Metric]) -> tuple[Metric, ...]:
    """Names, functions of one's own (more is better) and metrics -> metrics. Raises TrainingError for equal names."""
    if isinstance(wanted, str) or not isinstance(wanted, Sequence):
        raise TrainingError("metrics are a list", found=repr(wanted)[:60], fix='metrics=["accuracy"]')
    found = tuple(_metric(one) for one in wanted)
    names = [metric.name for metric in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise TrainingError("two metrics have the same name", found=", ".join(twice), fix="Metric(name, function)")
    return found


def for_task(task: str) -> tuple[Metric, ...]:
    """ "single-label", "multi-label" or "regression" -> the usual metrics, the first one to judge epochs by."""
    usual = {
        "single-label": ("accuracy",),
        "multi-label": ("average_precision", "f1"),
        "regression": ("rmse", "r2"),
    }
    if task not in usual:
        raise TrainingError(f"there is no task {task!r}", fix=did_you_mean(task, usual))
    return to_metrics(usual[task])


def of_output(name: str, metric: str | Function | Metric) -> Metric:
    """The metric of one of several outputs: of_output("kind", "accuracy") is "kind_accuracy" of dicts with "kind"."""
    inner = _metric(metric)
    return replace(
        inner, name=f"{name}_{inner.name}", function=lambda outputs, targets: inner(outputs[name], targets[name])
    )


def interval(metric: Metric, outputs: Any, targets: Any, *, seed: int = 0) -> statistics.Estimate:
    """The value with its 95 % interval: Wilson's for shares of examples, else by resampling the examples."""
    function = metric.function.func if isinstance(metric.function, partial) else metric.function
    shares = (subset_accuracy, top_k_accuracy, *((accuracy, error_rate) if getattr(targets, "ndim", 0) == 1 else ()))
    if function in shares:
        value = metric(outputs, targets)
        return statistics.proportion(round(value * len(targets)), len(targets), metric.name)

    def of(rows: npt.NDArray[np.int64]) -> float:
        some = torch.from_numpy(rows)
        return metric(_taken(outputs, some), _taken(targets, some))

    most, least = BOOTSTRAPS
    numbers = sum(x.numel() for x in tree_leaves(outputs))
    repeats = min(most, max(least, NUMBERS // max(1, numbers)))
    return statistics.bootstrap(of, len(tree_leaves(targets)[0]), metric.name, repeats=repeats, seed=seed)


def _metric(wanted: Any) -> Metric:
    if isinstance(wanted, Metric):
        return wanted
    if isinstance(wanted, str):
        return create(wanted)
    if not callable(wanted):
        fix = "a name, a function of outputs and targets, or a Metric"
        raise TrainingError("this is no metric", found=type(wanted).__name__, fix=fix)
    own = next((metric for metric in METRICS if metric.function is wanted), None)
    return own or Metric(getattr(wanted, "__name__", type(wanted).__name__), wanted)


def _predicted_and_true(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """-> classes [N], classes [N]; or of several labels bool [N, K], bool [N, K]."""
    if outputs.shape == targets.shape:
        return outputs > 0, targets > 0.5
    _check_classes(outputs, targets, "this metric")
    return outputs.argmax(1), targets


def _check_classes(outputs: Tensor, targets: Tensor, name: str) -> None:
    if outputs.ndim != 2 or tuple(targets.shape) != (len(outputs),) or targets.is_floating_point():
        found = f"outputs {list(outputs.shape)}, targets {list(targets.shape)} {targets.dtype}"
        raise TrainingError(f"{name} takes outputs [N, K] and whole classes [N]", found=found)
    if len(targets) and not 0 <= int(targets.min()) <= int(targets.max()) < outputs.shape[1]:
        found = f"{int(targets.min())} to {int(targets.max())} with {outputs.shape[1]} outputs"
        raise TrainingError("a label is out of range", found=found)


def _macro(name: str, outputs: Tensor, targets: Tensor) -> float:
    """One of scikit-learn's, averaged over the classes that are true or predicted at all, or over all labels."""
    from sklearn import metrics as sklearn_metrics

    predicted, true = map(_array, _predicted_and_true(outputs, targets))
    average = "macro"
    if outputs.shape == targets.shape:
        predicted, true = predicted.reshape(len(predicted), -1), true.reshape(len(true), -1)
        if true.shape[1] == 1:  # one label: its own value, not the mean with that of its absence
            predicted, true, average = predicted[:, 0], true[:, 0], "binary"
    with _plain_sklearn():
        return float(getattr(sklearn_metrics, name)(true, predicted, average=average, zero_division=0))


def _scores(outputs: Tensor, targets: Tensor) -> tuple[Array, Array]:
    """-> scores [N, K] float64, and whether each label is there [N, K] bool."""
    if outputs.shape == targets.shape:
        shape = (len(outputs), -1)
        return _array(outputs.double()).reshape(shape), _array(targets > 0.5).reshape(shape)
    _check_classes(outputs, targets, "this metric")
    if outputs.shape[1] == 2:  # the other label is the same question
        return _array((outputs[:, 1:] - outputs[:, :1]).double()), _array(targets[:, None] == 1)
    there = torch.nn.functional.one_hot(targets, outputs.shape[1]).bool()
    return _array(outputs.double().softmax(1)), _array(there)


def _columns(values: Array, some: Array) -> Array:
    """Of [N, K] the columns that count; a single one as [N], as scikit-learn wants it."""
    chosen = values[:, some]
    return chosen[:, 0] if chosen.shape[1] == 1 else chosen


@contextlib.contextmanager
def _plain_sklearn() -> Iterator[None]:
    """Without its warnings and repeated checks: what has no value is handled here, and hundreds of resampled parts are
    measured one after the other."""
    import sklearn

    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _array(values: Tensor) -> Array:
    values = values.detach()
    return (values.float() if values.dtype == torch.bfloat16 else values).cpu().numpy()


def _errors(outputs: Tensor, targets: Tensor) -> Tensor:
    """-> [N, D] float64."""
    if outputs.shape != targets.shape:
        found = f"outputs {list(outputs.shape)}, targets {list(targets.shape)}"
        raise TrainingError("errors of numbers need outputs and targets of the same shape", found=found)
    return (outputs.double() - targets.double()).reshape(len(targets), -1)


def _mean(values: Tensor) -> float:
    return values.double().mean().item()


def _taken(tree: Any, rows: Tensor) -> Any:
    return tree_map(tree, lambda part: part[rows.to(part.device)])
