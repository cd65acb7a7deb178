"""Named tensors <-> the bytes of a safetensors file. No pickle: a file from a stranger can at worst be refused.

What the files mean is for their owners: weights of backbones, checkpoints, networks, bundles. (What does
without torch keeps its arrays by `stored_arrays`.)
"""

import json
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

# What reading raises for bytes that are no such file: the library has errors of many kinds.
DAMAGE = (SafetensorError, ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, RuntimeError)


def to_bytes(tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> bytes:
    """Tensors of any device, also shared ones and views, which are written each; metadata: text beside them."""
    rows, seen = {}, set[int]()
    for name, tensor in tensors.items():
        row = plain(tensor)
        memory = row.untyped_storage()
        if memory.data_ptr() in seen or memory.nbytes() != row.nbytes:
            row = row.clone()
        seen.add(memory.data_ptr())
        rows[name] = row
    return safetensors.torch.save(rows, dict(metadata or {}) or None)


def from_bytes(data: bytes) -> tuple[dict[str, Tensor], dict[str, str]]:
    """What `to_bytes` was given, on the CPU. Raises what DAMAGE names."""
    tensors = safetensors.torch.load(data)
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return tensors, dict(header.get("__metadata__", {}))


def from_file(path: Path) -> dict[str, Tensor]:
    """The tensors of a file of any size, mapped into memory rather than read. Raises OSError, and what DAMAGE names."""
    return dict(safetensors.torch.load_file(path))


def plain(tensor: Tensor) -> Tensor:
    """On the CPU, in rows, without a gradient."""
    return tensor.detach().cpu().contiguous()
