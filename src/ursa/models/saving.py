"""A network <-> one safetensors file that holds its weights and how it was built. No pickle, no code from the file.

The file's metadata hold one JSON document: `recipe` (which of Ursa's builders, and its arguments; null for a network of
one's own), `class` (what it was, for the reader's eyes), `extra` (what the writer added), and a hash over all of it and
the weights.
"""

import contextlib
import hashlib
import importlib
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from ursa.embed.tensor_bytes import plain, to_bytes
from ursa.errors import TrainingError, did_you_mean
from ursa.models.built import built_of
from ursa.models.by_name import create
from ursa.models.compose import Residual, multi_output, siamese
from ursa.models.convolution import small_cnn
from ursa.models.dense import linear, mlp
from ursa.models.heads import pooled_head
from ursa.workspace import writing

FORMAT = 1
KEY = "ursa"  # of the document in the file's metadata
DEEPEST = 12  # networks within networks
LARGEST = 1 << 20  # characters of a recipe

Builders = Mapping[str, Callable[..., nn.Module]]
BUILDERS: Builders = {
    "linear": linear,
    "mlp": mlp,
    "multi_output": multi_output,
    "create": create,
    "pooled_head": pooled_head,
    "residual": Residual,
    "siamese": siamese,
    "small_cnn": small_cnn,
}


@dataclass(frozen=True)
class Saved:
    """What a file holds of its network; nothing is built to read it."""

    recipe: Mapping[str, Any] | None  # builder and arguments, where Ursa can build the network
    kind: str  # module and class that it was, as "my_package.nets:MyNet"
    extra: Mapping[str, Any]  # what was saved beside it
    shapes: Mapping[str, tuple[int, ...]]  # of each tensor


def save(model: nn.Module, path: str | Path, *, builders: Builders = BUILDERS, **extra: Any) -> None:
    """Write architecture and weights in one file, whole or not at all.

    A network made by Ursa's builders, and not changed since, is built again by `load(path)`; for any other `load` asks
    for its class. extra: anything that JSON knows, such as `classes=["cat", "dog"]`. Raises TrainingError for weights
    that are no tensors and for extras that JSON does not know, DataError where the file cannot be written.
    """
    state = {key: _held(key, value) for key, value in model.state_dict().items()}
    built = built_of(model)
    recipe = built.to_json() if built is not None else None
    if recipe is not None and repr(_build(recipe, builders, meta=True)) != repr(model):
        recipe = None  # parts were replaced: what its builder makes is another network
    kind = f"{type(model).__module__}:{type(model).__qualname__}"
    try:
        text = json.dumps({"format": FORMAT, "recipe": recipe, "class": kind, "extra": extra})
    except (TypeError, ValueError) as problem:
        raise TrainingError(
            "what is saved beside a network has to be JSON",
            found=str(problem),
            fix="use texts, numbers, lists",
        ) from problem
    with writing(Path(path), "another path") as file:
        file.write(to_bytes(state, {KEY: text, "sha256": _digest(text, state)}))


def load(
    path: str | Path, *, model: nn.Module | None = None, allow: str | None = None, builders: Builders = BUILDERS
) -> nn.Module:
    """The network of a file, with its weights in the precision they were saved in, in evaluation mode, on the CPU.

    model: a network of your own that gets the weights. allow: where its class is, as "my_package.nets:MyNet": it is
    imported because you name it, never because the file does, and called without arguments. builders: functions that
    may build what the file asks for by name. Raises TrainingError for a file that is damaged, that is none of Ursa's,
    or whose network this is not.
    """
    saved, state = _read(Path(path), weights=True)
    if model is None and allow is not None:
        model = _imported(allow)
    if model is None:
        if saved.recipe is None:
            raise TrainingError(
                f"{path} holds a custom network: its weights, not its code",
                found=f"it was a {saved.kind}",
                fix="give the network, load(path, model=...), or its class, load(path, allow='package.module:Class')",
            )
        _match(_build(saved.recipe, builders, meta=True), saved, path)  # before memory is taken for sizes in a file
        model = _build(saved.recipe, builders)
    _match(model, saved, path)
    _fill(model, state)
    return model.eval()


def describe(path: str | Path) -> Saved:
    """What a file holds of its network, without its weights. Raises TrainingError as `load` does."""
    return _read(Path(path), weights=False)[0]


def _read(path: Path, *, weights: bool) -> tuple[Saved, dict[str, Tensor]]:
    if not path.is_file():
        raise TrainingError(f"there is no file {path}", fix="check the path")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118, not a mapping
            state = {key: file.get_tensor(key) for key in shapes} if weights else {}
    except (SafetensorError, OSError, ValueError, TypeError, RuntimeError, MemoryError) as problem:
        raise _damaged(path, str(problem).splitlines()[0] if str(problem) else type(problem).__name__) from problem
    if KEY not in metadata:
        raise TrainingError(
            f"{path} does not say which network its weights belong to",
            found="a safetensors file that `ursa.models.save` did not write",
            fix="give plain weights to a backbone: --weights FILE",
        )
    text = metadata[KEY]
    if weights and metadata.get("sha256") != _digest(text, state):
        raise _damaged(path, "its contents do not have the hash that was written with them")
    return _document(path, text, shapes), state


def _document(path: Path, text: str, shapes: Mapping[str, tuple[int, ...]]) -> Saved:
    try:
        document = json.loads(text) if len(text) <= LARGEST else None
    except (ValueError, RecursionError) as problem:
        raise _damaged(path, "the description of the network is not JSON") from problem
    if not isinstance(document, dict) or not isinstance(document.get("format"), int):
        raise _damaged(path, "the description of the network is not one of Ursa's")
    if document["format"] > FORMAT:
        raise TrainingError(
            f"{path} was written by a newer Ursa", found=f"format {document['format']}", fix="update Ursa"
        )
    recipe, extra, kind = document.get("recipe"), document.get("extra", {}), document.get("class", "?")
    if not isinstance(recipe, dict | None) or not isinstance(extra, dict) or not isinstance(kind, str):
        raise _damaged(path, "the description of the network is not one of Ursa's")
    return Saved(recipe, kind, extra, shapes)


def _build(recipe: Any, builders: Builders, *, meta: bool = False, deep: int = 0) -> nn.Module:
    """recipe -> network; meta: laid out only, without memory for weights (where it can be)."""
    name = recipe.get("builder") if isinstance(recipe, Mapping) else None
    arguments = recipe.get("arguments") if isinstance(recipe, Mapping) else None
    if not isinstance(name, str) or not isinstance(arguments, dict) or deep > DEEPEST:
        raise TrainingError("the recipe of the network is damaged", found=repr(recipe)[:80])
    if name not in builders:
        raise TrainingError(f"no builder is called {name!r}", fix=did_you_mean(name, builders))
    filled = {key: _argument(value, builders, meta, deep + 1) for key, value in arguments.items()}
    try:
        inspect.signature(builders[name]).bind(**filled)
    except TypeError as problem:
        raise TrainingError(f"{name} cannot be built with the arguments in the file", found=str(problem)) from problem
    try:
        with torch.device("meta") if meta else contextlib.nullcontext():
            return builders[name](**filled)
    except NotImplementedError:  # a few networks of torchvision compute with numbers while they are built
        return builders[name](**filled)
    except (RuntimeError, ValueError, TypeError, OverflowError, MemoryError) as problem:  # sizes beyond all measure
        raise TrainingError(f"{name} cannot be built as the file says", found=str(problem)[:200]) from problem


def _argument(value: Any, builders: Builders, meta: bool, deep: int) -> Any:
    """A network within, {name: network}, or a plain value."""
    if not isinstance(value, dict):
        return value
    if value.keys() == {"builder", "arguments"} and isinstance(value["builder"], str):
        return _build(value, builders, meta=meta, deep=deep)
    return {key: _build(inner, builders, meta=meta, deep=deep) for key, inner in value.items()}


def _match(model: nn.Module, saved: Saved, path: str | Path) -> None:
    """Raises TrainingError where the network has other weights than the file."""
    wanted = {key: tuple(value.shape) for key, value in model.state_dict().items() if isinstance(value, Tensor)}
    missing, extra = [k for k in wanted if k not in saved.shapes], [k for k in saved.shapes if k not in wanted]
    shapes = [
        f"{key} {list(saved.shapes[key])} instead of {list(shape)}"
        for key, shape in wanted.items()
        if saved.shapes.get(key, shape) != shape
    ]
    if missing or extra or shapes:
        differences = [
            *([f"missing in the file: {_first(missing)}"] if missing else []),
            *([f"not in the network: {_first(extra)}"] if extra else []),
            *([f"shapes: {'; '.join(shapes[:3])}"] if shapes else []),
        ]
        raise TrainingError(
            f"the weights in {path} are not those of this {type(model).__name__}",
            found="; ".join(differences),
            fix=f"build the network that was saved, a {saved.kind}, with the same sizes",
        )


def _fill(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """In place, so that weights which are shared stay shared; in the file's precision."""
    for key, tensor in model.state_dict(keep_vars=True).items():
        if tensor.dtype != state[key].dtype:
            tensor.data = tensor.data.to(state[key].dtype)
    model.load_state_dict(dict(state))


def _imported(place: str) -> nn.Module:
    """ "my_package.nets:MyNet" -> a new network of that class."""
    package, _, name = place.partition(":")
    try:
        made = getattr(importlib.import_module(package), name)()
    except (ImportError, AttributeError, TypeError, ValueError) as problem:
        raise TrainingError(
            f"cannot make a network of {place!r}",
            found=str(problem),
            fix="name it as package.module:Class; where it needs arguments, make it and give load(path, model=...)",
        ) from problem
    if not isinstance(made, nn.Module):
        raise TrainingError(f"{place!r} is not a network", found=type(made).__name__, fix="name a torch.nn.Module")
    return made


def _held(key: str, value: Any) -> Tensor:
    if not isinstance(value, Tensor):
        raise TrainingError(f"{key} is not a tensor, so it cannot be saved", found=type(value).__name__)
    return plain(value)


def _digest(text: str, state: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(text.encode())
    for key in sorted(state):
        digest.update(f"\n{key} {state[key].dtype} {list(state[key].shape)}\n".encode())
        digest.update(state[key].reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _first(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _damaged(path: Path, found: str) -> TrainingError:
    return TrainingError(
        f"{path} is damaged, or not a network that Ursa saved", found=found, fix="save or copy it again"
    )
