"""JSON documents: a value somewhere inside replaced, removed, renamed, doubled or buried."""

import json
from collections.abc import Callable
from random import Random
from typing import Any

from fuzz.values import number

DEEP = 3000  # lists within lists, beyond the interpreter's recursion


def values(rng: Random) -> Any:
    """Values that readers stumble over."""
    choices: tuple[Callable[[], Any], ...] = (
        lambda: rng.choice((None, True, False, 0, -1, 1, 0.5, -0.0, 1e308, 1e-320)),
        lambda: rng.choice((float("nan"), float("inf"), float("-inf"), 10**400, -(10**400), 2**63, 2**64, 2**31)),
        lambda: rng.choice(("", " ", "\0", "\ud800", "a\nb", "\x1b[31m", "../../x", "nan", "1", "pictures", "é" * 3)),
        lambda: rng.choice(("x" * 70000, "<script>", "\u202e", "con", "model.onnx", "bundle.json", "sha256")),
        lambda: rng.choice(([], {}, [[]], [None], {"": None}, [1] * 300, ["a", "a"], {"value": "x"})),
        lambda: number(rng, 64),
        lambda: rng.uniform(-2, 2),
    )
    return rng.choice(choices)()


def places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values, the document's own () first."""
    found = [path]
    inner = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in inner:
        found += places(value, (*path, key))
    return found


def changed(document: Any, rng: Random) -> Any:
    """A copy with one to three changes."""
    document = json.loads(json.dumps(document))
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        paths = places(document)[1:]
        if not paths or rng.random() < 0.02:
            return values(rng)
        *above, key = rng.choice(paths)
        holder = document
        for step in above:
            holder = holder[step]
        match rng.randrange(6):
            case 0 if isinstance(holder, dict):
                del holder[key]
            case 1 if isinstance(holder, dict):
                holder[str(rng.choice(("", "sha256", "format", key + "x", "\ud800")))] = holder.pop(key)
            case 2 if isinstance(holder, list):
                holder.extend(holder[:1] * rng.choice((1, 300)))
            case 3:
                holder[key] = [holder[key]] if rng.random() < 0.5 else {"value": holder[key]}
            case _:
                holder[key] = values(rng)
    return document


def text(document: Any, rng: Random) -> str:
    """JSON of it, now and then with what `json.dumps` would not write: depth, a key twice."""
    written = json.dumps(document, ensure_ascii=rng.random() < 0.7)
    if rng.random() < 0.02:
        return written.replace("null", "[" * DEEP + "]" * DEEP, 1)
    if rng.random() < 0.03 and written.startswith("{") and len(written) > 2:
        return '{"format": 1, ' + written[1:]
    return written
