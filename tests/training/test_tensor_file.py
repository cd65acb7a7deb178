"""A tree of state as JSON and tensors, and back, whatever is in it; a file says what is wrong with it."""

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ursa.embed.tensor_bytes import to_bytes
from ursa.errors import DataError, TrainingError
from ursa.training.checkpoints import tensor_file
from ursa.training.checkpoints.tensor_file import decoded, encoded, read, write

leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**60), 2**60),
    st.floats(allow_nan=False),
    st.text(max_size=4),
    st.integers(0, 9).map(lambda n: torch.arange(n)),
)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.one_of(st.integers(0, 5), st.sampled_from(["tensor", "tuple", "dict", "a/b"])), inner),
    ),
    max_leaves=10,
)


def same(one, other):
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@given(trees)
def test_any_state_comes_back_from_json_with_its_types_keys_and_order(tree):
    """Also where keys are numbers, or are called as the marks of the format are."""
    tensors = {}
    document = json.loads(json.dumps(encoded(tree, "state", tensors)))
    assert same(decoded(document, tensors), tree)


def test_names_of_tensors_say_where_they_lie():
    tensors = {}
    encoded({"a": [torch.zeros(1), {"b": torch.ones(1)}]}, "optimizer", tensors)
    assert list(tensors) == ["optimizer/a/0", "optimizer/a/1/b"]


@pytest.mark.parametrize("leaf", [object(), {1, 2}, b"bytes", 1j])
def test_what_a_file_cannot_hold_is_named_with_its_place(leaf):
    with pytest.raises(TrainingError, match="cannot hold") as told:
        encoded({"state": [1, leaf]}, "optimizer", {})
    assert told.value.found == f"optimizer/state/1 is a {type(leaf).__name__}"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16, torch.int64, torch.uint8, torch.bool])
def test_every_type_shape_and_view_of_a_tensor_survives(tmp_path, dtype):
    base = (torch.arange(24) % 2).to(dtype).reshape(4, 6)
    tensors = {"plain": base, "view": base[1:3, ::2], "turned": base.T, "scalar": base[0, 1], "none": base[:0]}
    write(tmp_path / "one", tensors, {"said": {"ü": [1, None]}})
    found, document = read(tmp_path / "one")
    assert found.keys() == tensors.keys()
    assert all(torch.equal(found[name], value) and found[name].dtype == dtype for name, value in tensors.items())
    assert document["said"] == {"ü": [1, None]} and document["format"] == tensor_file.FORMAT
    assert set(document["versions"]) == {"ursa-learn", "torch"}


def test_what_was_there_stays_whole_where_writing_fails(tmp_path):
    write(tmp_path / "one", {"a": torch.ones(2)}, {})
    with pytest.raises(TypeError):
        write(tmp_path / "one", {"a": torch.zeros(2)}, {"unfit": object()})
    assert read(tmp_path / "one")[0]["a"].tolist() == [1, 1]
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


@pytest.mark.parametrize("change", ["value", "name", "type", "shape", "document"])
def test_the_checksum_covers_everything(tmp_path, change):
    """Each of these alone leaves a valid safetensors file."""
    tensors = {"a": torch.tensor([1, 2, 3, 4], dtype=torch.int32), "b": torch.zeros(1)}
    write(tmp_path / "one", tensors, {"step": 1})
    text = json.dumps({"format": 1, "versions": read(tmp_path / "one")[1]["versions"], "step": 1})
    checksum = tensor_file._checksum(tensors, text)

    def stored(some, said):
        (tmp_path / "two").write_bytes(to_bytes(some, {"ursa": said, "checksum": checksum}))
        return read(tmp_path / "two")

    assert stored(tensors, text)[1]["step"] == 1
    changed = {
        "value": {**tensors, "b": torch.ones(1)},
        "name": {"a": tensors["a"], "c": tensors["b"]},
        "type": {**tensors, "a": tensors["a"].view(torch.float32)},
        "shape": {**tensors, "a": tensors["a"].reshape(2, 2)},
        "document": tensors,
    }[change]
    with pytest.raises(DataError, match="cannot be read") as told:
        stored(changed, text.replace('"step": 1', '"step": 2') if change == "document" else text)
    assert told.value.found == "its checksum is not that of its content"


def test_a_file_that_is_not_there_is_told_in_the_systems_words(tmp_path):
    with pytest.raises(DataError, match="missing cannot be read") as told:
        read(tmp_path / "missing")
    assert told.value.found == "No such file or directory"
    assert "the one before" in told.value.fix
