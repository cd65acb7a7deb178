"""Bundles as an attacker would make them, every hash right: `hostile_bundles()` -> (name, bytes of a `.ursa` file).

Each of them has to be refused with BundleError, within seconds, and without harm. `sound()` is the one that works;
`signed`, `archive`, `small_model` are the tools, for fuzzers as well. Needs the `onnx` package, and nothing of Ursa's.
"""

import hashlib
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fuzz import tiny

SIZE, CLASSES, small_model = tiny.SIZE, tiny.CLASSES, tiny.model
WEIGHTS = (2).to_bytes(8, "little") + b"{}"  # safetensors without tensors
F, U8, I64 = TensorProto.FLOAT, TensorProto.UINT8, TensorProto.INT64


def document(**changes: Any) -> dict[str, Any]:
    """What bundle.json says beside hashes."""
    return {
        "format": 1,
        "classes": list(CLASSES),
        "preparation": {"size": SIZE, "fit": "pad"},
        "temperature": 1.0,
        "metrics": {"accuracy": {"value": 0.9, "low": 0.8, "high": 0.95, "method": "made up"}},
        "training": {"backbone": "colours", "pictures": {"red": 3}, "recipe": {"seed": 1}},
        "created": "2026-11-21T00:00:00+00:00",
        "versions": {"ursa": "0.1.0"},
        **changes,
    }


def signed(text: str, parts: dict[str, bytes]) -> bytes:
    """bundle.json: the text of a document without hashes -> with them."""
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in parts.items()}
    whole = text.rstrip()[:-1] + f', "parts": {json.dumps(hashes)}, "sha256": ""}}'
    return whole.replace('"sha256": ""', f'"sha256": "{hashlib.sha256(whole.encode()).hexdigest()}"').encode()


def files(model: bytes | None = None, text: str | None = None) -> dict[str, bytes]:
    """The files of a bundle with this model and this document, hashes right."""
    parts = {
        "model.onnx": small_model() if model is None else model,
        "weights.safetensors": WEIGHTS,
        "card.md": b"# Card",
    }
    return {"bundle.json": signed(json.dumps(document()) if text is None else text, parts), **parts}


def archive(contents: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as target:
        for name, data in contents.items():
            target.writestr(name, data)
    return buffer.getvalue()


def sound() -> bytes:
    """A bundle that works."""
    return archive(files())


def hostile_bundles() -> Iterator[tuple[str, bytes]]:
    """(what is wrong with it, a `.ursa` file)."""
    for name, model in hostile_models():
        yield f"model: {name}", archive(files(model))
    for name, text in hostile_documents():
        yield f"bundle.json: {name}", archive(files(text=text))
    for name, data in hostile_zips():
        yield f"zip: {name}", data


# --- models


def hostile_models() -> Iterator[tuple[str, bytes]]:
    """(what is wrong with it, an ONNX file)."""
    node = helper.make_node
    yield from external_models()
    yield from odd_structures()
    yield from quantized_models()
    big = {"shape": np.array([100_000, 100_000, 3]), "one": np.float32([1])}
    yield "ConstantOfShape of 120 GB", small_model(_added(node("ConstantOfShape", ["shape"], ["huge"])), big)
    yield "Expand to 120 GB", small_model(_added(node("Expand", ["one", "shape"], ["huge"])), big)
    yield (
        "Tile to 100 GB",
        small_model(_added(node("Tile", ["one", "times"], ["huge"])), {**big, "times": np.array([1 << 36])}),
    )
    pads = {"flat": np.zeros(1, np.float32), "pads": np.array([0, 1 << 36])}
    yield "Pad to 270 GB", small_model(_added(node("Pad", ["flat", "pads"], ["huge"])), pads)
    square = {"shape": np.array([30_000, 30_000]), "one": np.float32([1])}
    slow = [node("Expand", ["one", "shape"], ["square"]), *_added(node("MatMul", ["square", "square"], ["huge"]))]
    yield "MatMul of 27 Tflop and 11 GB", small_model(slow, square)
    to_int = [node("ReduceMax", ["floats"], ["most"], keepdims=0), node("Cast", ["most"], ["whole"], to=I64)]
    yield (
        "shape from the pixels",
        small_model(
            [
                *to_int,
                node("Reshape", ["whole", "flat"], ["size"]),
                *_added(node("ConstantOfShape", ["size"], ["huge"])),
            ],
            {"flat": np.array([1])},
        ),
    )
    yield (
        "integers divided by pixels",
        small_model(
            [
                *to_int,
                node("Div", ["one", "whole"], ["x"]),
                node("Cast", ["x"], ["y"], to=F),
                node("Add", ["scores", "y"], ["logits"]),
            ],
            {"one": np.array(1)},
        ),
    )
    masks = {"zero": np.array(0), "one": np.array(1), "half": np.float32(0.5)}
    yield (
        "integers chosen by pixels",
        small_model(
            [
                node("Greater", ["floats", "half"], ["mask"]),
                node("Where", ["mask", "zero", "one"], ["x"]),
                *_added(node("Div", ["one", "x"], ["huge"])),
            ],
            masks,
        ),
    )
    yield (
        "integers to the power of pixels",
        small_model(
            [node("Pow", ["one", "scores"], ["x"]), *_added(node("Div", ["one", "x"], ["huge"]))], {"one": np.array(1)}
        ),
    )
    yield (
        "a constant divided by zero",
        small_model([node("Div", ["one", "zero"], ["x"]), *_added(node("Cast", ["x"], ["huge"], to=F))], masks),
    )
    yield "int64 out", small_model([node("ArgMax", ["scores"], ["logits"], axis=1)], output=(I64, ["N", 1]))
    yield "float64 out", small_model([node("Cast", ["scores"], ["logits"], to=11)], output=(11, ["N", 3]))
    yield "four logits", small_model([node("Concat", ["scores", "scores"], ["logits"], axis=1)], output=(F, ["N", 6]))
    yield "one row for all", small_model([node("ReduceMax", ["scores", "first"], ["logits"])], {"first": np.array([0])})
    yield "NaN", small_model([node("Div", ["scores", "nought"], ["logits"])], {"nought": np.float32(0)})
    yield "weights all NaN", small_model(more={"weights": np.full((3, 3), np.nan, np.float32)})
    yield "no bytes", b""
    yield "no model", b"\x00" * 100


def _added(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """The node, and what makes logits of the scores and the least number of its output `huge`."""
    shape = helper.make_node("Shape", ["huge"], ["of_huge"])
    return [
        node,
        shape,
        helper.make_node("Cast", ["of_huge"], ["of_huge_f"], to=F),
        helper.make_node("ReduceMin", ["of_huge_f"], ["least"], keepdims=0),
        helper.make_node("Cast", ["huge"], ["huge_f"], to=F),
        helper.make_node("ReduceMin", ["huge_f"], ["least_of"], keepdims=0),
        helper.make_node("Add", ["least", "least_of"], ["both"]),
        helper.make_node("Add", ["scores", "both"], ["logits"]),
    ]


def quantized_models() -> Iterator[tuple[str, bytes]]:
    """Numbers of 8 bits that are more than numbers, or of which more than numbers depends on the picture."""
    node = helper.make_node
    known = {
        "step": np.float32(0.1),
        "zero": np.uint8(0),
        "ten": np.uint8(10),
        "steps": np.full((1, 3), 0.1, np.float32),
        "zeros": np.zeros((1, 3), np.uint8),
        "table": np.zeros((256, 3), np.float32),
        "flat": np.array([-1]),
        "first": np.array(0),
    }
    down = node("QuantizeLinear", ["scores", "step", "zero"], ["small"])
    back = node("DequantizeLinear", ["small", "step", "zero"], ["logits"])

    def made(*nodes: onnx.NodeProto) -> bytes:
        return small_model(nodes, known)

    index = [node("Cast", ["small"], ["index"], to=I64), node("Gather", ["table", "index"], ["logits"])]
    yield "quantized numbers as an index", made(down, *index)
    yield (
        "quantized numbers as a shape",
        made(down, node("Cast", ["small"], ["shape"], to=I64), *_added(node("ConstantOfShape", ["shape"], ["huge"]))),
    )
    yield (
        "a divisor of quantized numbers",
        made(
            down,
            node("Div", ["ten", "small"], ["divided"]),
            node("DequantizeLinear", ["divided", "step", "zero"], ["logits"]),
        ),
    )
    yield "quantized numbers compared", made(down, node("Equal", ["small", "ten"], ["b"]), *_added_bool())
    yield "quantized numbers as floats by a cast", made(down, node("Cast", ["small"], ["logits"], to=F))
    yield "quantized numbers moved", made(down, node("Identity", ["small"], ["moved"]), _back("moved"))
    yield (
        "a scale from the pixels",
        made(
            node("ReduceMax", ["scores"], ["most"], keepdims=0),
            node("QuantizeLinear", ["scores", "most", "zero"], ["small"]),
            back,
        ),
    )
    yield (
        "a zero point from the pixels",
        made(
            node("Reshape", ["pictures", "flat"], ["row"]),
            node("Gather", ["row", "first"], ["bright"]),
            node("QuantizeLinear", ["scores", "step", "bright"], ["small"]),
            back,
        ),
    )
    float8 = node("Cast", ["zero"], ["eighth"], to=TensorProto.FLOAT8E4M3FN)
    yield "8 bits that are a float", made(float8, node("QuantizeLinear", ["scores", "step", "eighth"], ["small"]), back)
    yield "no zero point", made(node("QuantizeLinear", ["scores", "step"], ["small"]), back)
    yield (
        "a scale that is computed",
        made(node("Neg", ["step"], ["other"]), node("QuantizeLinear", ["scores", "other", "zero"], ["small"]), back),
    )
    blocks = node("QuantizeLinear", ["scores", "steps", "zeros"], ["small"], axis=1, block_size=1 << 40)
    yield "quantized in blocks", made(blocks, back)
    wide = node("QuantizeLinear", ["scores", "step", "zero"], ["small"], output_dtype=TensorProto.UINT16)
    yield "quantized to 16 bits", made(wide, back)
    pixels = [
        node("DequantizeLinear", ["pictures", "step", "zero"], ["x"]),
        node("ReduceMean", ["x", "axes"], ["logits"], keepdims=0),
    ]
    yield "pixels taken for quantized numbers", made(*pixels)
    yield (
        "quantized logits",
        small_model([node("QuantizeLinear", ["scores", "step", "zero"], ["logits"])], known, output=(U8, ["N", 3])),
    )


def _back(name: str) -> onnx.NodeProto:
    return helper.make_node("DequantizeLinear", [name, "step", "zero"], ["logits"])


def _added_bool() -> list[onnx.NodeProto]:
    node = helper.make_node
    return [node("Cast", ["b"], ["c"], to=F), node("Add", ["scores", "c"], ["logits"])]


def external_models() -> Iterator[tuple[str, bytes]]:
    """Weights that lie in another file, or anywhere in memory."""

    def outside(tensor: TensorProto, where: str) -> TensorProto:
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", where), ("offset", "0"), ("length", "36")):
            entry = tensor.external_data.add()
            entry.key, entry.value = key, value
        return tensor

    def constant(model: onnx.ModelProto) -> None:
        node = helper.make_node("Constant", [], ["weights"], value=model.graph.initializer.pop(1))
        outside(node.attribute[0].t, "secret")
        model.graph.node.insert(0, node)

    def sparse(model: onnx.ModelProto) -> None:
        values = outside(numpy_helper.from_array(np.zeros(9, np.float32), "sparse"), "secret")
        indices = numpy_helper.from_array(np.arange(9))
        model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [9]))

    def initializer(where: str) -> Callable[[onnx.ModelProto], Any]:
        return lambda model: outside(model.graph.initializer[1], where)

    def location_only(model: onnx.ModelProto) -> None:
        model.graph.initializer[1].data_location = TensorProto.EXTERNAL

    for where in ("secret", "../secret", "/etc/hostname", "*/_ORT_MEM_ADDR_/*"):
        yield f"weights in another file, {where}", small_model(change=initializer(where))
    yield "a constant in another file", small_model(change=constant)
    yield "sparse weights in another file", small_model(change=sparse)
    yield "external without a place", small_model(change=location_only)


def odd_structures() -> Iterator[tuple[str, bytes]]:
    """Graphs with more than nodes and weights."""
    node = helper.make_node

    def body(name: str, nodes: list[onnx.NodeProto], inputs: list[Any], outputs: list[Any]) -> onnx.GraphProto:
        return helper.make_graph(nodes, name, inputs, outputs)

    true = helper.make_tensor_value_info("again", TensorProto.BOOL, [])
    loop = body(
        "loop",
        [node("Identity", ["go"], ["again"])],
        [helper.make_tensor_value_info("i", I64, []), helper.make_tensor_value_info("go", TensorProto.BOOL, [])],
        [true],
    )
    yield (
        "a loop without end",
        small_model(
            [node("Loop", ["", "yes"], [], body=loop), node("Identity", ["scores"], ["logits"])],
            {"yes": np.array(True)},
        ),
    )
    then = body("then", [node("Identity", ["scores"], ["x"])], [], [helper.make_tensor_value_info("x", F, ["N", 3])])
    other = body("else", [node("Neg", ["scores"], ["y"])], [], [helper.make_tensor_value_info("y", F, ["N", 3])])
    choice = node("If", ["yes"], ["logits"], then_branch=then, else_branch=other)
    yield "a branch", small_model([choice], {"yes": np.array(True)})
    yield "a random number", small_model([node("RandomNormalLike", ["scores"], ["logits"])])
    text = [node("Cast", ["scores"], ["logits"], to=TensorProto.STRING)]
    yield "text out", small_model(text, output=(TensorProto.STRING, ["N", 3]))
    yield (
        "a sequence",
        small_model(
            [node("SequenceConstruct", ["scores"], ["s"]), node("ConcatFromSequence", ["s"], ["logits"], axis=0)]
        ),
    )
    yield "another domain", small_model([node("Gelu", ["scores"], ["logits"], domain="com.microsoft")])
    yield (
        "positions of pixels",
        small_model([node("NonZero", ["floats"], ["p"]), node("Identity", ["scores"], ["logits"])]),
    )

    def function(model: onnx.ModelProto) -> None:
        opsets = [helper.make_opsetid("", 18)]
        model.functions.append(helper.make_function("own", "F", ["x"], ["y"], [node("Neg", ["x"], ["y"])], opsets))

    def training(model: onnx.ModelProto) -> None:
        model.training_info.add().algorithm.CopyFrom(model.graph)

    def domain(model: onnx.ModelProto) -> None:
        model.opset_import.append(helper.make_opsetid("com.microsoft", 1))

    def second_input(model: onnx.ModelProto) -> None:
        model.graph.input.append(helper.make_tensor_value_info("more", F, ["N"]))

    def long_name(model: onnx.ModelProto) -> None:
        model.graph.node[0].op_type = "\x1b[2J" + "A" * 1_000_000

    def no_text(model: onnx.ModelProto) -> bytes:
        return model.SerializeToString().replace(b"means", b"\xff\xfe\xfd\xfc\xfb")

    for name, change in (
        ("a function", function),
        ("training information", training),
        ("an import of another domain", domain),
        ("a second input", second_input),
        ("an operator of a million letters", long_name),
        ("a name that is no text", no_text),
    ):
        yield name, small_model(change=change)
    yield "a million empty nodes", small_model() + field(7, field(1, b"") * 1_000_000)
    yield "a graph in two pieces", small_model() + field(7, b"")
    yield (
        "a million numbers",
        small_model(change=lambda model: model.graph.node[0].attribute[0].ints.extend([1] * 1_100_000)),
    )


def field(number: int, data: bytes) -> bytes:
    """A length-delimited protobuf field."""
    out, length = bytearray([number << 3 | 2]), len(data)
    while length > 0x7F:
        out.append(length & 0x7F | 0x80)
        length >>= 7
    out.append(length)
    return bytes(out) + data


# --- bundle.json


def hostile_documents() -> Iterator[tuple[str, str]]:
    """(the key that is wrong, and how; a text of JSON without hashes)."""
    metric = {"value": 0.9, "low": 0.8, "high": 0.95, "method": "m"}
    for key, value in (
        ("temperature", 10**400),
        ("temperature", True),
        ("temperature", 1e-320),
        ("temperature", float("nan")),
        ("temperature", float("inf")),
        ("temperature", "1"),
        ("temperature", None),
        ("classes", ["\ud800", "b", "c"]),
        ("classes", ["a", "b", ""]),
        ("classes", ["a", "b", "  "]),
        ("classes", ["a", "b", "\x1b]0;owned\x07"]),
        ("classes", ["a", "b", "x" * 100_000]),
        ("classes", ["a", "b", "b"]),
        ("classes", ["a", "b", 3]),
        ("classes", {"a": 1}),
        ("classes", [str(i) for i in range(200_000)]),
        ("preparation", {"size": 16, "fit": ["pad"]}),
        ("preparation", {"size": True, "fit": "pad"}),
        ("preparation", {"size": 1 << 30, "fit": "pad"}),
        ("preparation", {"size": 16.0, "fit": "pad"}),
        ("preparation", {"size": 16, "fit": "pad", "more": 1}),
        ("metrics", {"accuracy": {**metric, "value": float("nan")}}),
        ("metrics", {"accuracy": {**metric, "low": "0"}}),
        ("metrics", {"accuracy": 0.9}),
        ("metrics", []),
        ("training", "yes"),
        ("pictures", "all"),
        ("pictures", {"train": "A" * 1_000_001}),
        ("pictures", {"everything": "AAAAAAAAAAA="}),
        ("pictures", {"train": "/////////////////////w=="}),
        ("training", {"recipe": []}),
        ("training", {"recipe": {"seed": "1"}}),
        ("training", {"recipe": {"seed": 10**19 * 10}}),
        ("training", {"backbone": {"a": 1}}),
        ("training", {"pictures": {"red": -1}}),
        ("created", 5),
        ("created", "x" * 10_000),
        ("versions", {"ursa": None}),
        ("versions", "0.1"),
        ("parity", {"difference": "small"}),
        ("format", 0),
        ("format", "1"),
        ("format", True),
    ):
        yield f"{key} {value!r:.30}", json.dumps(document(**{key: value}))
    plain = json.dumps(document())
    yield "a number of a million digits", plain[:-1] + ', "more": ' + "9" * 1_000_000 + "}"
    yield "infinite by its exponent", plain[:-1] + ', "more": 1e999}'
    yield "a key twice", plain[:-1] + ', "classes": ["x", "y", "z"]}'
    yield "100,000 levels", plain[:-1] + ', "more": ' + "[" * 100_000 + "]" * 100_000 + "}"
    yield "100 levels", plain[:-1] + ', "more": ' + "[" * 100 + "]" * 100 + "}"
    yield "half a character in a key", plain[:-1] + ', "\\ud800": 1}'


# --- zips


def hostile_zips() -> Iterator[tuple[str, bytes]]:
    """(what is wrong with it, the bytes of a zip)."""
    contents = files()
    yield "compressed", archive(contents, zipfile.ZIP_DEFLATED)
    yield "entries that lie about their size", _lying(contents)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name, data in [*contents.items(), ("model.onnx", b"other")]:
            info = zipfile.ZipInfo(name if data != b"other" else "model.onny")
            target.writestr(info, data)
    yield "a name twice", buffer.getvalue().replace(b"model.onny", b"model.onnx")
    sound = archive(contents)
    yield "encrypted", _in_directory(sound, 8, struct.pack("<H", 1))
    yield "a symbolic link", _in_directory(sound, 38, struct.pack("<I", 0o120777 << 16))
    yield "sizes beyond the file", _in_directory(sound, 20, struct.pack("<II", 1 << 31, 1 << 31))
    yield "all entries at one place", _in_directory(sound, 42, struct.pack("<I", 0), every=True)
    yield "a directory of 100,000 entries", _crowded(contents, 100_000)
    yield "no zip", b"PK" + bytes(1000)
    yield "half", sound[: len(sound) // 2]


def _lying(contents: dict[str, bytes]) -> bytes:
    """50 MB of zeros for card.md, deflated, called a few bytes long."""
    packed = archive({**contents, "card.md": bytes(50_000_000)}, zipfile.ZIP_DEFLATED)
    return packed.replace(struct.pack("<I", 50_000_000), struct.pack("<I", 60))


def _in_directory(data: bytes, offset: int, value: bytes, *, every: bool = False) -> bytes:
    """Change a field of the entry of bundle.json (or of every entry) in the zip's table of contents."""
    out, at = bytearray(data), data.index(b"PK\x01\x02")
    while at >= 0:
        out[at + offset : at + offset + len(value)] = value
        at = data.find(b"PK\x01\x02", at + 1) if every else -1
    return bytes(out)


def _crowded(contents: dict[str, bytes], count: int) -> bytes:
    """Many entries in the table of contents, in zip64 as that is what so many need."""
    data = archive(contents)
    at, end = data.index(b"PK\x01\x02"), data.rindex(b"PK\x05\x06")
    name = b"more"
    entry = struct.pack(
        "<4s6H3I5H2I", b"PK\x01\x02", 20, 20, 0, 0, 0, 0, zlib.crc32(b""), 0, 0, len(name), 0, 0, 0, 0, 0, 0
    )
    directory = data[at:end] + (entry + name) * count
    total, start = count + len(contents), at + len(directory)
    record = struct.pack("<4sQ2H2I4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, total, total, len(directory), at)
    locator = struct.pack("<4sIQI", b"PK\x06\x07", 0, start, 1)
    last = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return data[:at] + directory + record + locator + last
