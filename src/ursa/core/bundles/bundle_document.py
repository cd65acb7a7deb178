"""bundle.json -> the document, when all that Ursa reads of it is what it has to be. Every refusal names its key.

Keys that are needed: format, classes, preparation, temperature, parts, sha256. Those that may be there and are read:
created, task, metrics, training, pictures, versions, parity, thresholds, per_class, calibration, weaknesses, about,
examples, quantized. Others are kept as they are.
"""

import json
import math
import re
import reprlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ursa.core.bundles.example import require_examples
from ursa.core.bundles.picture_hashes import PictureHashes
from ursa.core.decisions import Decisions
from ursa.core.prepare import Preparation
from ursa.core.tasks import SINGLE_LABEL, TASKS

LARGEST_SIZE = 4096  # pixels; a view of that size is 50 MB
MOST_CLASSES = 100_000  # ImageNet has 21,841
LONGEST_NAME = 1000  # characters
LONGEST_TEXT = 1000
LONGEST_STATEMENT = 10_000  # characters of what a person writes into the card
MOST_WEAKNESSES = 20
LONGEST_NUMBER = 20  # digits of an integer: more than 64 bits have
DEEPEST = 16
HOTTEST = 1e3  # temperatures measured on real models lie between 0.5 and 5

ABOUT = ("intended_use", "limitations", "license", "authors", "contact", "citation")  # for a person to fill in

# What moves the cursor or turns the direction of writing: controls, line ends, embeddings and isolates.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_HASH = re.compile("[0-9a-f]{64}")


def parsed(text: str) -> dict[str, Any]:
    """JSON as the standard has it: no NaN, no key twice, no number beyond 64 bits, no half characters.

    Raises ValueError (RecursionError for thousands of levels).
    """
    document = json.loads(
        text, parse_constant=_constant, parse_int=_integer, parse_float=_float, object_pairs_hook=_object
    )
    if not isinstance(document, dict):
        raise ValueError("no JSON object")
    _require_usable(document)
    return document


def require_valid(document: Mapping[str, Any], parts: Iterable[str]) -> None:
    """Raises ValueError, or DataError for the preparation. parts: the names that have to have hashes."""
    require_names(document.get("classes"))
    _require_preparation(document.get("preparation"))
    temperature: Any = document.get("temperature")
    _require(_is_number(temperature) and 1 / HOTTEST <= temperature <= HOTTEST, "temperature", temperature)
    hashes = document.get("parts")
    _require(isinstance(hashes, dict) and set(parts) <= hashes.keys(), "parts", hashes)
    _require_each("parts", hashes, lambda digest: isinstance(digest, str) and _HASH.fullmatch(digest))
    task = document.get("task", SINGLE_LABEL)
    _require(task in TASKS and (task == SINGLE_LABEL or document.get("format") != 1), "task", task)
    for key in ("created", "sha256", "seal"):
        _require(_is_text(document.get(key, "")), key, document.get(key))
    _require_each("versions", document.get("versions", {}), _is_text)
    _require_each("metrics", document.get("metrics", {}), _is_metric)
    _require_training(document.get("training", {}))
    PictureHashes.from_json(document.get("pictures", {}))
    decisions = Decisions.from_json(document.get("thresholds", {}), document["classes"])
    _require(decisions.fit(task), "thresholds", f"{document.get('thresholds')} of a {task} task")
    if "quantized" in document:
        _require_quantized(document["quantized"])
    agreed = document.get("parity", {})
    _require(isinstance(agreed, dict) and all(map(_is_number, agreed.values())), "parity", agreed)
    _require_card(document)
    require_examples(document.get("examples", []))


def _require_card(document: Mapping[str, Any]) -> None:
    """What the card says beside the rest."""
    per_class = document.get("per_class", {})
    _require_each("per_class", per_class, lambda one: isinstance(one, dict))
    for name, scores in per_class.items():
        _require(name in document["classes"], "per_class", name)
        _require_each(f"per_class.{name[:60]}", {k: v for k, v in scores.items() if k != "pictures"}, _is_metric)
        _require(_is_whole(scores.get("pictures", 0)), f"per_class.{name[:60]}.pictures", scores.get("pictures"))
    _require_each("calibration", document.get("calibration", {}), _is_number)
    said = document.get("weaknesses", [])
    _require(isinstance(said, list) and len(said) <= MOST_WEAKNESSES and all(map(_is_text, said)), "weaknesses", said)
    about = document.get("about", {})
    _require_each("about", about, lambda text: isinstance(text, str) and len(text) <= LONGEST_STATEMENT)
    _require(about.keys() <= set(ABOUT), "about", list(about))


def require_names(names: Any) -> None:
    """Raises ValueError for what cannot be the classes of a bundle: of each name once, in order."""
    _require(isinstance(names, list | tuple) and 0 < len(names) <= MOST_CLASSES, "classes", names)
    seen = set()
    for name in names:
        usable = isinstance(name, str) and name.strip() and len(name) <= LONGEST_NAME
        _require(usable and not _UNPRINTABLE.search(name), "classes", name)
        _require(name not in seen, "classes", f"{name!r} twice")
        seen.add(name)


def _require_preparation(found: Any) -> None:
    _require(isinstance(found, dict) and found.keys() <= {"size", "fit"}, "preparation", found)
    size, fit = found.get("size", 1), found.get("fit", "pad")
    _require(_is_whole(size) and size <= LARGEST_SIZE and isinstance(fit, str), "preparation", found)
    Preparation(**found)


def _require_training(found: Any) -> None:
    _require(isinstance(found, dict), "training", found)
    for key in ("backbone", "kept"):
        _require(_is_text(found.get(key, "")), f"training.{key}", found.get(key))
    _require_each("training.pictures", found.get("pictures", {}), _is_whole)
    recipe = found.get("recipe", {})
    _require(isinstance(recipe, dict), "training.recipe", recipe)
    _require(_is_whole(recipe.get("seed", 0)), "training.recipe.seed", recipe.get("seed"))


def _require_quantized(found: Any) -> None:
    _require(isinstance(found, dict), "quantized", found)
    _require(_is_text(found.get("precision")), "quantized.precision", found.get("precision"))
    for key in ("pictures", "changed", "calibrated_on"):
        _require(_is_whole(found.get(key)), f"quantized.{key}", found.get(key))
    _require(_is_metric(found.get("difference")), "quantized.difference", found.get("difference"))
    for key in ("before", "after"):
        side = found.get(key)
        _require(isinstance(side, dict) and _is_metric(side.get("accuracy")), f"quantized.{key}", side)
        numbers = [side.get(name) for name in ("megabytes", "ms_one", "ms_batch")]
        _require(all(map(_is_number, numbers)), f"quantized.{key}", numbers)


def _require(holds: object, key: str, found: object) -> None:
    if not holds:
        raise ValueError(f"{key} is {reprlib.repr(found)}")


def _require_each(key: str, found: Any, right: Callable[[Any], object]) -> None:
    _require(isinstance(found, dict), key, found)
    for name, value in found.items():
        _require(right(value), f"{key}.{name[:60]}", value)


def _is_metric(found: Any) -> bool:
    """{"value", "low", "high", "method"}; a number that could not be measured is null."""
    if not isinstance(found, dict) or not {"value", "low", "high"} <= found.keys():
        return False
    numbers = all(found[key] is None or _is_number(found[key]) for key in ("value", "low", "high"))
    return numbers and _is_text(found.get("method", ""))


def _is_text(found: Any) -> bool:
    return isinstance(found, str) and len(found) <= LONGEST_TEXT


def _is_whole(found: Any) -> bool:
    return isinstance(found, int) and not isinstance(found, bool) and found >= 0


def _is_number(found: Any) -> bool:
    return isinstance(found, int | float) and not isinstance(found, bool) and math.isfinite(found)


@dataclass(frozen=True)
class _Unusable:
    """In place of a value that JSON does not have, until it is known under which key it stands."""

    what: str


def _constant(found: str) -> _Unusable:
    return _Unusable(f"{found}, which JSON does not have")


def _integer(digits: str) -> int | _Unusable:
    return int(digits) if len(digits) <= LONGEST_NUMBER else _Unusable(f"a number of {len(digits)} digits")


def _float(digits: str) -> float | _Unusable:
    number = float(digits)
    return number if math.isfinite(number) else _Unusable(f"{digits[:20]}, which is too large")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        found[key] = _Unusable("given twice") if key in found else value
    return found


def _require_usable(document: dict[str, Any]) -> None:
    """Numbers of this world, no halves of characters, which nothing can be written with, and few levels."""
    level: list[tuple[str, Any]] = list(document.items())
    for _ in range(DEEPEST):
        inner: list[tuple[str, Any]] = []
        for key, value in level:
            if _SURROGATE.search(key) or (isinstance(value, str) and _SURROGATE.search(value)):
                raise ValueError(f"{key[:60]} has half a character")
            if isinstance(value, _Unusable):
                raise ValueError(f"{key[:60]} is {value.what}")
            if isinstance(value, dict):
                inner += [(f"{key}.{name}" if len(key) < LONGEST_TEXT else key, each) for name, each in value.items()]
            elif isinstance(value, list):
                inner += [(key, each) for each in value]
        level = inner
    if level:
        raise ValueError(f"{level[0][0][:60]} has more than {DEEPEST} levels")
