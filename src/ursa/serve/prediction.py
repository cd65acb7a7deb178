"""What a model says of a picture: a class, several labels, or numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ursa.core.decisions import Decisions
from ursa.core.statistics import sigmoid, softmax
from ursa.core.tasks import MULTI_LABEL, REGRESSION

F32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Prediction:
    """Of a model that knows one class a picture."""

    label: str  # the most probable class; with costs in the bundle the cheapest one (`core/decisions.py`)
    probability: float  # of that class
    probabilities: dict[str, float]  # by class, in the model's order
    unsure: bool | None = None  # below the bundle's threshold; None where it has none

    def to_json(self) -> dict[str, Any]:
        """{"label", "probability", "probabilities"}, and "unsure" where the bundle has a threshold."""
        known = {"label": self.label, "probability": self.probability, "probabilities": self.probabilities}
        return known if self.unsure is None else {**known, "unsure": self.unsure}


@dataclass(frozen=True)
class MultiLabelPrediction:
    """Of a model that knows several labels a picture."""

    labels: tuple[str, ...]  # those that it shows, perhaps none, in the model's order
    probabilities: dict[str, float]  # of each label by itself, in the model's order

    def to_json(self) -> dict[str, Any]:
        """{"labels", "probabilities"}."""
        return {"labels": list(self.labels), "probabilities": self.probabilities}


@dataclass(frozen=True)
class RegressionPrediction:
    """Of a model that gives numbers."""

    values: dict[str, float]  # in the units that were learned, by name

    def to_json(self) -> dict[str, Any]:
        """{"values"}."""
        return {"values": self.values}


AnyPrediction = Prediction | MultiLabelPrediction | RegressionPrediction


def activated(outputs: F32, task: str, temperature: float) -> F32:
    """Outputs [N, K] of a network -> [N, K]: probabilities of classes, of labels, or the numbers as they are."""
    if task == REGRESSION:
        return outputs
    return (sigmoid if task == MULTI_LABEL else softmax)(outputs / np.float32(temperature))


def answers(rows: F32, task: str, names: Sequence[str], decisions: Decisions) -> list[AnyPrediction]:
    """rows [N, K] as of `activated` -> what is answered for each picture."""
    named = [{name: float(value) for name, value in zip(names, row, strict=True)} for row in rows]
    if task == REGRESSION:
        return [RegressionPrediction(values) for values in named]
    if task == MULTI_LABEL:
        present = decisions.present(rows, names)
        return [
            MultiLabelPrediction(tuple(name for name, here in zip(names, each, strict=True) if here), values)
            for each, values in zip(present, named, strict=True)
        ]
    chosen, unsure = decisions.chosen(rows, names).tolist(), decisions.unsure(rows).tolist()
    return [
        Prediction(names[best], float(row[best]), values, None if decisions.abstain is None else doubt)
        for row, values, best, doubt in zip(rows, named, chosen, unsure, strict=True)
    ]


def most_probable(probabilities: Mapping[str, float], count: int) -> dict[str, float]:
    """So many of them, the most probable first."""
    return dict(sorted(probabilities.items(), key=lambda item: -item[1])[:count])


def from_json(document: Mapping[str, Any]) -> AnyPrediction:
    """What `to_json` gave, of any of them. Raises ValueError for anything else."""
    if "values" in document:
        return RegressionPrediction(_numbers(document["values"]))
    probabilities = _numbers(document.get("probabilities"))
    if "labels" in document:
        labels = document["labels"]
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            raise ValueError("labels")
        return MultiLabelPrediction(tuple(labels), probabilities)
    label, probability, unsure = document.get("label"), document.get("probability"), document.get("unsure")
    if not isinstance(label, str) or type(probability) is not float or type(unsure) not in (bool, type(None)):
        raise ValueError("label, probability or unsure")
    return Prediction(label, probability, probabilities, unsure)


def _numbers(found: Any) -> dict[str, float]:
    if not isinstance(found, dict) or not all(type(value) is float for value in found.values()):
        raise ValueError("no numbers by name")
    return found
