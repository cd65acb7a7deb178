"""The strict reader of ONNX files agrees with the `onnx` package about all that it accepts."""

import contextlib
import importlib.util
from pathlib import Path

import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ursa.core.bundles.onnx_file import BYTES_OF, graph
from ursa.core.bundles.onnx_rules import OPERATORS, require_plain
from ursa.core.bundles.protobuf import Field, FieldBudget, WireError, message
from ursa.errors import BundleError

spec = importlib.util.spec_from_file_location("hostile_bundles", Path(__file__).parents[1] / "hostile_bundles.py")
hostile = importlib.util.module_from_spec(spec)
spec.loader.exec_module(hostile)

SOUND = hostile.small_model()


def agrees(data: bytes) -> bool:
    """Whether the reader accepts it; if so, `onnx` has to see the very same graph in it, with nothing outside of it."""
    try:
        found = graph(data)
    except WireError:
        return False
    model = onnx.load_from_string(data)
    assert [node.operator for node in found.nodes] == [node.op_type for node in model.graph.node]
    for ours, theirs in zip(found.nodes, model.graph.node, strict=True):
        assert [name.decode() for name in ours.inputs] == list(theirs.input)
        assert [name.decode() for name in ours.outputs] == list(theirs.output)
        assert {name.decode() for name in ours.attributes} == {attribute.name for attribute in theirs.attribute}
        assert all(attribute.type not in (5, 10) for attribute in theirs.attribute)  # graphs
    weights = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
    assert {name.decode(): kind for name, kind in found.weights.items()} == weights
    assert [name.decode() for name in found.inputs] == [value.name for value in model.graph.input]
    assert [name.decode() for name in found.outputs] == [value.name for value in model.graph.output]
    tensors = [*model.graph.initializer, *(a.t for node in model.graph.node for a in node.attribute if a.HasField("t"))]
    assert all(tensor.data_location == 0 and not tensor.external_data for tensor in tensors)
    assert all(tensor.data_type in BYTES_OF for tensor in tensors)
    assert not model.functions and not model.training_info and not model.graph.sparse_initializer
    assert all(node.domain in ("", "ai.onnx") for node in model.graph.node)
    return True


def test_a_plain_model_is_read():
    assert agrees(SOUND)
    require_plain(SOUND)


@settings(max_examples=400)
@given(
    at=st.integers(0, len(SOUND) - 1),
    cut=st.integers(0, 8),
    put=st.one_of(st.binary(max_size=8), st.sampled_from([b"\x80", b"\xff" * 9 + b"\x01", b"\x72\x00", b"\x6a\x00"])),
)
def test_what_is_accepted_of_mutants_is_what_onnx_reads(at, cut, put):
    agrees(SOUND[:at] + put + SOUND[at + cut :])


def test_every_single_bit():
    """Some bits are names, numbers and notes: those mutants are models as well."""
    accepted = 0
    for at in range(len(SOUND)):
        data = bytearray(SOUND)
        data[at] ^= 1 << at % 8
        accepted += agrees(bytes(data))
    assert 0 < accepted < 0.7 * len(SOUND)


@pytest.mark.parametrize(("name", "data"), list(hostile.external_models()))
def test_other_files_are_refused(name, data):
    with pytest.raises(WireError):
        graph(data)


@pytest.mark.parametrize("location", [1, 2, -1, 1 << 32, (1 << 32) + 1])
def test_no_spelling_of_an_external_tensor_passes(location):
    """Readers of protobuf cut an enum to 32 bits."""
    number = location % (1 << 64)
    spelled = bytearray()
    while number > 0x7F:
        spelled.append(number & 0x7F | 0x80)
        number >>= 7
    tensor = bytes([1 << 3, 3, 2 << 3, 1]) + hostile.field(8, b"w") + bytes([14 << 3, *spelled, number])
    with pytest.raises(WireError, match=r"external|wire"):
        graph(hostile.field(7, hostile.field(5, tensor)))


SCHEMA = {1: Field("n", "int"), 2: Field("many", "int", True), 3: Field("f", "float"), 4: Field("t", "text")}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x08\x01\x08\x01", "twice"),
        (b"\x28\x01", "number 5"),
        (b"\x88\x80\x80\x80\x80\x00\x01", "a field of number"),  # a tag of six bytes
        (b"\x88\x80\x80\x80\x10\x01", "a field of number"),  # one of 33 bits, which is cut to field 1
        (b"\x0b\x0c", "wire type 3"),
        (b"\x08", "in the middle"),
        (b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", "64 bits"),
        (b"\x08" + b"\x80" * 11 + b"\x00", "64 bits"),
        (b"\x22\x05abcd", "in the middle"),
        (b"\x22\xff\xff\xff\xff\xff\xff\xff\xff\x7fabcd", "in the middle"),
        (b"\x22\x01\xff", "not text"),
        (b"\x1a\x01a", "wire type 2"),
        (b"\x0a\x01\x01", "wire type 2"),
        (b"\x00\x01", "number 0"),
    ],
)
def test_what_no_plain_writer_writes_is_refused(data, reason):
    with pytest.raises(WireError, match=reason):
        message(memoryview(data), SCHEMA, FieldBudget())


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data):
    with contextlib.suppress(WireError):
        message(memoryview(data), SCHEMA, FieldBudget())


def test_numbers_are_signed_and_packed_or_not():
    found = message(memoryview(b"\x08" + b"\xff" * 9 + b"\x01\x10\x05\x12\x03\x01\x80\x01"), SCHEMA, FieldBudget())
    assert found == {"n": -1, "many": [5, 1, 128]}


def test_a_small_file_has_no_long_reading():
    with pytest.raises(WireError, match="more fields"):
        message(memoryview(b"\x10\x01" * 100), SCHEMA, FieldBudget(99))
    with pytest.raises(WireError, match="more fields"):
        message(memoryview(b"\x12\x7f" + b"\x01" * 127), SCHEMA, FieldBudget(99))


@pytest.mark.parametrize(
    "name", ["Loop", "If", "Scan", "NonZero", "RandomNormal", "StringNormalizer", "TopK", "Unique"]
)
def test_what_no_classifier_needs_is_not_among_the_operators(name):
    assert name not in OPERATORS


def test_every_operator_is_one_of_onnx():
    assert {schema.name for schema in onnx.defs.get_all_schemas() if schema.domain == ""} >= OPERATORS


@pytest.mark.parametrize(("name", "data"), list(hostile.quantized_models()))
def test_quantized_numbers_may_be_nothing_but_numbers(name, data):
    if name == "quantized logits":
        return  # told by the session's types
    with pytest.raises(BundleError, match="not of the kind") as refused:
        require_plain(data)
    assert "quantized" in refused.value.found or "Linear" in refused.value.found


def test_numbers_that_are_quantized_and_turned_back_are_plain():
    node = hostile.helper.make_node
    there = node("QuantizeLinear", ["scores", "step", "zero"], ["small"])
    back = node("DequantizeLinear", ["small", "step", "zero"], ["logits"])
    model = hostile.small_model([there, back], {"step": hostile.np.float32(0.1), "zero": hostile.np.uint8(128)})
    require_plain(model)
    assert agrees(model)


@pytest.mark.parametrize(("name", "data"), list(hostile.odd_structures()))
def test_structures_are_refused_by_their_names(name, data):
    if name == "a second input":
        return  # told by the session's shapes
    with pytest.raises(BundleError, match="not of the kind"):
        require_plain(data)
