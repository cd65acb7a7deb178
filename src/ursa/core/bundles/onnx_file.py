"""The bytes of an ONNX file -> its graph, read in pure Python before onnxruntime sees them, and strictly.

What a model that tells the class of a picture has no use for is refused by its name: tensors whose data lie in another
file or somewhere in memory, functions, graphs within nodes, sparse tensors, text, operators of other domains. The
numbers of fields are those of onnx.proto (IR version 13, ONNX 1.20).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from ursa.core.bundles.protobuf import Field, FieldBudget, Kind, Message, Schema, WireError, message

# Bytes of an element by TensorProto.DataType. Text, complex numbers, and those of 8 and 4 bits have no use here.
FLOAT, UINT8, INT8, INT32, INT64, BOOL, FLOAT16, DOUBLE = 1, 2, 3, 6, 7, 9, 10, 11
BYTES_OF = {FLOAT: 4, UINT8: 1, INT8: 1, INT32: 4, INT64: 8, BOOL: 1, FLOAT16: 2, DOUBLE: 8}
FLOATS = (FLOAT, FLOAT16, DOUBLE)
MOST_AXES = 8


@dataclass(frozen=True)
class OnnxNode:
    """One operator of the graph. Values are known by name, and an empty name is an input left out."""

    operator: str
    inputs: tuple[bytes, ...]
    outputs: tuple[bytes, ...]
    attributes: dict[bytes, Message]


@dataclass(frozen=True)
class OnnxGraph:
    """What an ONNX file computes."""

    nodes: tuple[OnnxNode, ...]
    weights: dict[bytes, int]  # the type of their elements by name
    inputs: tuple[bytes, ...]
    outputs: tuple[bytes, ...]


def graph(data: bytes) -> OnnxGraph:
    """Raises WireError for what is no ONNX file, or one that holds more than a plain graph with its weights inside."""
    model = message(memoryview(data), MODEL, FieldBudget())
    if any(bytes(opset.get("domain", b"")) not in DEFAULT for opset in model.get("opset_import", [])):
        raise WireError("operators of another domain than ONNX's own")
    if "graph" not in model:
        raise WireError("no graph")
    found = model["graph"]
    weights = {}
    for tensor in found.get("initializer", []):
        name = bytes(tensor.get("name", b""))
        if name in weights:
            raise WireError("two weights of one name")
        weights[name] = _element(tensor)
    return OnnxGraph(
        nodes=tuple(_node(each) for each in found.get("node", [])),
        weights=weights,
        inputs=_names(found.get("input", [])),
        outputs=_names(found.get("output", [])),
    )


def _node(found: Message) -> OnnxNode:
    operator = _text(found.get("op_type", b""))
    if bytes(found.get("domain", b"")) not in DEFAULT:
        raise WireError(f"{operator} of the domain {_text(found['domain'])}")
    attributes = {}
    for each in found.get("attribute", []):
        name = bytes(each.get("name", b""))
        if name in attributes:
            raise WireError(f"an attribute given twice in {operator}")
        attributes[name] = each
        if "t" in each:
            _element(each["t"])
    inputs, outputs = (tuple(bytes(name) for name in found.get(key, [])) for key in ("input", "output"))
    return OnnxNode(operator, inputs, outputs, attributes)


def _element(tensor: Message) -> int:
    """The type of its elements, if the tensor holds as many of them as it says."""
    kind, shape = tensor.get("data_type", 0), tensor.get("dims", [])
    if tensor.get("data_location", 0) != 0:
        raise WireError("external data")
    if kind not in BYTES_OF:
        raise WireError(f"a tensor of data type {kind}")
    if len(shape) > MOST_AXES or min(shape, default=0) < 0 or max(shape, default=0) >= 1 << 31:
        raise WireError("a tensor of impossible shape")
    if math.prod(shape) * BYTES_OF[kind] != len(tensor.get("raw_data", b"")):
        raise WireError("a tensor that does not hold as much as its shape says")
    return int(kind)


def _names(values: Iterable[Message]) -> tuple[bytes, ...]:
    return tuple(bytes(value.get("name", b"")) for value in values)


def _text(data: memoryview) -> str:
    return bytes(data[:60]).decode("ascii", "replace")


DEFAULT = (b"", b"ai.onnx")  # two names of one domain


def _one(name: str, kind: Kind) -> Field:
    return Field(name, kind)


def _many(name: str, kind: Kind) -> Field:
    return Field(name, kind, repeated=True)


def _no(name: str) -> Field:
    return Field(name, "refused")


_OPSET: Schema = {1: _one("domain", "text"), 2: _one("version", "int")}

_TENSOR: Schema = {
    1: _many("dims", "int"),
    2: _one("data_type", "int"),
    3: _no("segment"),
    **{number: _no("data outside raw_data") for number in (4, 5, 6, 7, 10, 11)},
    8: _one("name", "text"),
    9: _one("raw_data", "bytes"),
    12: _one("doc_string", "text"),
    13: _no("external data"),
    14: _one("data_location", "int"),
    16: _many("metadata_props", "bytes"),
}

_ATTRIBUTE: Schema = {
    1: _one("name", "text"),
    2: _one("f", "float"),
    3: _one("i", "int"),
    4: _one("s", "text"),
    5: _one("t", _TENSOR),
    6: _no("a graph within a node"),
    7: _many("floats", "float"),
    8: _many("ints", "int"),
    9: _no("a list of text"),
    10: _no("a list of tensors"),
    11: _no("graphs within a node"),
    13: _one("doc_string", "text"),
    14: _no("a type"),
    15: _no("types"),
    20: _one("type", "int"),
    21: _no("an attribute of a function"),
    22: _no("a sparse tensor"),
    23: _no("sparse tensors"),
}

_NODE: Schema = {
    1: _many("input", "text"),
    2: _many("output", "text"),
    3: _one("name", "text"),
    4: _one("op_type", "text"),
    5: _many("attribute", _ATTRIBUTE),
    6: _one("doc_string", "text"),
    7: _one("domain", "text"),
    8: _no("an overload"),
    9: _many("metadata_props", "bytes"),
    10: _no("device configurations"),
}

_DIMENSION: Schema = {1: _one("dim_value", "int"), 2: _one("dim_param", "text"), 3: _one("denotation", "text")}
_TENSOR_TYPE: Schema = {1: _one("elem_type", "int"), 2: _one("shape", {1: _many("dim", _DIMENSION)})}
_TYPE: Schema = {
    1: _one("tensor_type", _TENSOR_TYPE),
    **{number: _no("a value that is no tensor") for number in (4, 5, 7, 8, 9)},
    6: _one("denotation", "text"),
}
_VALUE: Schema = {
    1: _one("name", "text"),
    2: _one("type", _TYPE),
    3: _one("doc_string", "text"),
    4: _many("metadata_props", "bytes"),
}

_GRAPH: Schema = {
    1: _many("node", _NODE),
    2: _one("name", "text"),
    5: _many("initializer", _TENSOR),
    10: _one("doc_string", "text"),
    11: _many("input", _VALUE),
    12: _many("output", _VALUE),
    13: _many("value_info", "bytes"),  # notes: onnxruntime finds out by itself and compares
    14: _no("quantization annotations"),
    15: _no("sparse weights"),
    16: _many("metadata_props", "bytes"),
}

MODEL: Schema = {
    1: _one("ir_version", "int"),
    2: _one("producer_name", "text"),
    3: _one("producer_version", "text"),
    4: _one("domain", "text"),
    5: _one("model_version", "int"),
    6: _one("doc_string", "text"),
    7: _one("graph", _GRAPH),
    8: _many("opset_import", _OPSET),
    14: _many("metadata_props", "bytes"),
    20: _no("training information"),
    25: _no("functions"),
    26: _no("device configurations"),
}
