"""Predictor -> what the page has to know of the model before a picture comes. All of it is checked first."""

import math
from collections.abc import Mapping
from typing import Any

from ursa.core.tasks import SINGLE_LABEL
from ursa.serve.limits import ServerLimits
from ursa.serve.predictor import Predictor

LONGEST = 200  # characters of a name that is only shown


def model_document(predictor: Predictor, title: str | None, limits: ServerLimits, examples: int) -> dict[str, Any]:
    """{"title", "task", "classes", "accuracy", "unsure", "preparation", "model", "limits", "examples"}.

    title: None where the operator gave none. accuracy: {"value", "low", "high"} of one class a picture, else None.
    unsure: whether an answer may be "not sure". examples: how many pictures there are at `examples/0.jpg` and so on.
    """
    document = predictor.bundle.document
    return {
        "title": title,
        "task": predictor.task,
        "classes": list(predictor.labels.names),
        "accuracy": _accuracy(document) if predictor.task == SINGLE_LABEL else None,
        "unsure": predictor.bundle.decisions.abstain is not None,
        "preparation": predictor.bundle.preparation.to_json(),
        "model": {
            "name": _text(document, "training", "backbone"),
            "version": _text(document, "versions", "ursa"),
            "created": _text(document, "created"),
            "sha256": _text(document, "sha256"),
        },
        "limits": {"max_bytes": limits.max_bytes, "max_pictures": limits.max_pictures},
        "examples": examples,
    }


def _accuracy(document: Mapping[str, Any]) -> dict[str, float] | None:
    """Three shares in order, or nothing."""
    numbers = [inside(document, "metrics", "accuracy", key) for key in ("low", "value", "high")]
    if not all(type(number) in (int, float) and math.isfinite(number) for number in numbers):
        return None
    low, value, high = map(float, numbers)
    return {"value": value, "low": low, "high": high} if 0 <= low <= value <= high <= 1 else None


def _text(document: Mapping[str, Any], *keys: str) -> str | None:
    value = inside(document, *keys)
    return value[:LONGEST] if isinstance(value, str) else None


def inside(document: Any, *keys: str) -> Any:
    """A value of a nested document, None where any key is missing."""
    for key in keys:
        document = document.get(key) if isinstance(document, Mapping) else None
    return document
