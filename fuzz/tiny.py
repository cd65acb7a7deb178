"""A real, tiny bundle: logits from the mean colour of 16 x 16 pixels. Made with onnx, without torch."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

SIZE = 16
CLASSES = ("blue", "green", "red")


def model(
    nodes: Sequence[Any] = (),
    more: Mapping[str, Any] | None = None,
    *,
    classes: int = len(CLASSES),
    output: tuple[int, Sequence[Any]] | None = None,
    opset: int = 18,
    change: Callable[[Any], Any] | None = None,
) -> bytes:
    """pictures [N, 16, 16, 3] uint8 -> logits [N, classes]: 12 times the mean of blue, green, red (0 to 1), then less.

    nodes: ONNX nodes that make `logits` of `scores`, `floats`, `means`, `axes`, `weights` or the constants in `more`;
    output: type and shape of the logits; change: the last word on the finished model, in place or as other bytes.
    """
    import numpy as np
    from onnx import TensorProto, helper, numpy_helper

    weights = np.zeros((3, classes), np.float32)
    for number in range(classes):
        weights[2 - number % 3, number] = 12 / 255 / (1 + number // 3)
    constants = {"axes": np.array([1, 2]), "weights": weights, **(more or {})}
    first = [
        helper.make_node("Cast", ["pictures"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats", "axes"], ["means"], keepdims=0),
        helper.make_node("MatMul", ["means", "weights"], ["scores" if nodes else "logits"]),
    ]
    graph = helper.make_graph(
        [*first, *nodes],
        "colors",
        [helper.make_tensor_value_info("pictures", TensorProto.UINT8, ["N", SIZE, SIZE, 3])],
        [helper.make_tensor_value_info("logits", *(output or (TensorProto.FLOAT, ["N", classes])))],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    changed = change(made) if change is not None else None
    return changed if isinstance(changed, bytes) else bytes(made.SerializeToString())


def document() -> dict[str, Any]:
    """What bundle.json says, but for hashes."""
    accuracy = {"value": 0.948, "low": 0.93, "high": 0.961, "method": "cross-validated"}
    return {
        "format": 1,
        "classes": list(CLASSES),
        "preparation": {"size": SIZE, "fit": "pad"},
        "temperature": 1.0,
        "metrics": {"accuracy": accuracy},
        "training": {"backbone": "colours"},
        "versions": {"ursa": "0.1.0"},
        "created": "2026-11-21T10:00:00+00:00",
    }


@cache
def _model() -> bytes:
    return model()


def parts() -> dict[str, bytes]:
    """The other files of the bundle."""
    return {"model.onnx": _model(), "weights.safetensors": (2).to_bytes(8, "little") + b"{}", "card.md": b"# Colours\n"}


def signed(text: str, files: Mapping[str, bytes]) -> bytes:
    """bundle.json: this JSON with the right hashes in it, whatever else it says."""
    hashes = json.dumps({name: hashlib.sha256(data).hexdigest() for name, data in files.items()})
    if text.startswith("{") and text.endswith("}"):
        comma = ", " if len(text) > 2 else ""
        text = f'{text[:-1]}{comma}"parts": {hashes}, "sha256": ""}}'
    data = text.encode("utf-8", "surrogatepass")
    return data.replace(b'"sha256": ""', b'"sha256": "%s"' % hashlib.sha256(data).hexdigest().encode())


def packed(files: Mapping[str, bytes], packing: int = zipfile.ZIP_STORED) -> bytes:
    """A zip of these files; its times are fixed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packing) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, packing)
    return buffer.getvalue()


@cache
def bundle() -> bytes:
    """The whole bundle, as `.ursa`."""
    return packed({"bundle.json": signed(json.dumps(document()), parts()), **parts()})
