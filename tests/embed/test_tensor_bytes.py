"""Named tensors and the bytes of a safetensors file: each other's inverse; whatever is no such file is refused."""

import ast
import contextlib
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import ursa
from ursa.embed.tensor_bytes import DAMAGE, from_bytes, from_file, to_bytes

SOURCE = Path(ursa.__file__).parent
KINDS = [torch.float32, torch.bfloat16, torch.float16, torch.int64, torch.uint8, torch.bool]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_what_is_written_is_read(tmp_path, kind):
    base = torch.arange(24).reshape(4, 6).to(kind)
    given_ones = {
        "whole": base,
        "view": base[:, 1:3],
        "turned": base.T,
        "shared": base,
        "none": base[:0],
        "one": base[0, 0],
    }
    data = to_bytes(given_ones, {"about": "é"})
    found, metadata = from_bytes(data)
    assert metadata == {"about": "é"} and from_bytes(to_bytes(given_ones))[1] == {}
    (tmp_path / "w.safetensors").write_bytes(data)
    for tensors in (found, from_file(tmp_path / "w.safetensors")):
        assert all(torch.equal(tensors[name], tensor) for name, tensor in given_ones.items())
        assert tensors.keys() == given_ones.keys()


@given(cut=st.integers(0, 200), byte=st.integers(0, 255), at=st.integers(0, 99))
def test_what_is_no_such_file_raises_what_is_named(cut, byte, at):
    data = bytearray(to_bytes({"a": torch.zeros(3), "b": torch.ones(2, 2)}, {"k": "v"}))
    data[at % len(data)] = byte
    with contextlib.suppress(*DAMAGE):
        from_bytes(bytes(data[: len(data) - cut]))


def test_nobody_else_writes_or_reads_them():
    """But for arrays in the workspace, which do without torch, and who looks into a file without its weights."""
    callers = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.split(".")[0] == "safetensors" for name in names):
                callers.add(str(path.relative_to(SOURCE)))
    assert callers == {"embed/tensor_bytes.py", "embed/stored_arrays.py", "models/saving.py"}
