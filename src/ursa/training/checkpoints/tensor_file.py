"""Named tensors and a JSON document <-> one file: safetensors, with the document in its metadata.

Nothing is pickled: a file from a stranger can at worst be refused. A checksum over everything tells a damaged file from
a whole one.
"""

import json
import zlib
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ursa import workspace
from ursa.core import files
from ursa.embed.tensor_bytes import DAMAGE, from_bytes, plain, to_bytes
from ursa.errors import DataError, TrainingError

FORMAT = 1


def write(path: Path, tensors: Mapping[str, Tensor], document: Mapping[str, Any]) -> None:
    """Write the file whole, or leave what was there. Raises DataError when it cannot be written."""
    versions = {name: version(name) for name in ("ursa-learn", "torch")}
    text = json.dumps({"format": FORMAT, "versions": versions, **document})
    rows = {name: plain(tensor) for name, tensor in tensors.items()}
    metadata = {"ursa": text, "checksum": _checksum(rows, text)}
    with workspace.writing(path) as file:
        file.write(to_bytes(rows, metadata))


def read(path: Path, *, follow: bool = True) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `write` wrote, with "format" and "versions". Raises DataError for one that is damaged, foreign or newer.

    follow: False where a symbolic link has no business.
    """
    try:
        data = files.read_bytes(path, follow=follow)
        tensors, metadata = from_bytes(data)
        if metadata["checksum"] != _checksum(tensors, metadata["ursa"]):
            raise ValueError("its checksum is not that of its content")
        document = dict(json.loads(metadata["ursa"]))
        newer = int(document["format"]) > FORMAT
    except (OSError, *DAMAGE) as problem:
        raise damaged(path, problem) from problem
    if newer:
        raise DataError(f"{path} was written by a newer Ursa", found=f"format {document['format']}", fix="update Ursa")
    return tensors, document


def encoded(tree: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """A tree of dicts, lists, tuples, tensors and plain values as JSON; its tensors are put into `tensors`."""
    if isinstance(tree, Tensor):
        tensors[name] = tree
        return {"tensor": name}
    if isinstance(tree, Mapping):
        return {"dict": [[key, encoded(value, f"{name}/{key}", tensors)] for key, value in tree.items()]}
    if isinstance(tree, list | tuple):
        parts = [encoded(value, f"{name}/{i}", tensors) for i, value in enumerate(tree)]
        return {"tuple": parts} if isinstance(tree, tuple) else parts
    if tree is None or isinstance(tree, bool | int | float | str):
        return tree
    raise TrainingError(
        "a checkpoint cannot hold the optimiser's state",
        found=f"{name} is a {type(tree).__name__}",
        fix="keep tensors, numbers and text in it, or train without checkpoints",
    )


def decoded(tree: Any, tensors: Mapping[str, Tensor]) -> Any:
    """What `encoded` was given."""
    if isinstance(tree, list):
        return [decoded(part, tensors) for part in tree]
    if not isinstance(tree, dict):
        return tree
    if "tensor" in tree:
        return tensors[tree["tensor"]]
    if "tuple" in tree:
        return tuple(decoded(part, tensors) for part in tree["tuple"])
    return {key: decoded(value, tensors) for key, value in tree["dict"]}


def damaged(path: Path, problem: Exception) -> DataError:
    """The error for a file that cannot be read."""
    reason = problem.strerror if isinstance(problem, OSError) else str(problem).partition("\n")[0]
    return DataError(
        f"the checkpoint {path} cannot be read",
        found=reason or type(problem).__name__,
        fix="delete it: the run then goes on from the one before, or from the start",
    )


def _checksum(tensors: Mapping[str, Tensor], text: str) -> str:
    """CRC-32 over text, names, types, shapes and bytes: against damage, not against an enemy."""
    total = zlib.crc32(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        total = zlib.crc32(f"{name} {tensor.dtype} {list(tensor.shape)}".encode(), total)
        total = zlib.crc32(tensor.reshape(-1).view(torch.uint8).numpy().data, total)
    return f"{total:08x}"
