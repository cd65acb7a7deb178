"""The bytes of a bundle's ONNX graph -> the same graph with numbers of 8 or of 16 bits. Needs `onnx`, not torch."""

import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import cast

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ursa.core.bundles.onnx_rules import require_plain
from ursa.core.bundles.onnx_runtime import onnxruntime
from ursa.core.decoding.image import Pixels
from ursa.errors import BundleError

# What onnxruntime has 8-bit kernels for and networks on pictures spend their time in. The classifier's own layer (Gemm)
# stays as it is: it is small, and its inputs are standardized. Squeezes (ReduceMean, Sigmoid) would only be converted
# to and fro.
OPERATORS = ("Add", "AveragePool", "Concat", "Conv", "GlobalAveragePool", "MatMul", "MaxPool", "Mul")
QUANTIZED = ("Conv", "MatMul")  # without any of these there is nothing to gain
LARGEST_HALF = 65504.0  # the largest number of 16 bits
FEW = 64  # numbers of a tensor: smaller ones, shapes and scales among them, are not worth a conversion


def to_int8(model: bytes, views: Iterable[Pixels]) -> bytes:
    """Static quantization: weights int8 by channel, activations uint8, their ranges from `views`: [N, S, S, 3] each.

    Weights have 7 bits, so that processors without VNNI, which add pairs of products in 16 bits, answer the same as
    those with it. Raises BundleError for a network without a layer that 8 bits would make faster.
    """
    onnxruntime()
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static

    graph = onnx.load_from_string(model)
    if not any(node.op_type in QUANTIZED for node in graph.graph.node):
        found = "no convolution and no product of matrices"
        raise BundleError("this network has nothing to quantize", found=found, fix="serve it as it is")
    # The exporter has folded what the quantizer would advise to fold; it looks for this note.
    graph.metadata_props.add(key="onnx.quant.pre_process", value="onnxruntime.quant")
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "model.onnx"
        quantize_static(
            graph,
            out,
            _Batches(iter(views)),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=list(OPERATORS),
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
        )
        made = onnx.load_from_string(out.read_bytes())
    return _written(made)


def to_fp16(model: bytes) -> bytes:
    """Weights of 16 bits, which the runtime turns into float32 when it loads them: half the file, computed as before.

    Raises BundleError for weights that 16 bits cannot hold.
    """
    graph = onnx.load_from_string(model)
    casts = []
    for tensor in graph.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims, dtype=np.int64) < FEW:
            continue
        weights, name = numpy_helper.to_array(tensor), tensor.name
        if not np.abs(weights).max() <= LARGEST_HALF:
            found = f"{np.abs(weights).max():.3g} in {name}"
            raise BundleError("a weight is too large for 16 bits", found=found, fix="--int8, or serve it as it is")
        tensor.CopyFrom(numpy_helper.from_array(weights.astype(np.float16), f"{name}.fp16"))
        casts.append(helper.make_node("Cast", [tensor.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *graph.graph.node]
    del graph.graph.node[:]
    graph.graph.node.extend(nodes)
    return _written(graph)


class _Batches:
    """A reader as onnxruntime's quantizer wants it."""

    def __init__(self, batches: Iterator[Pixels]) -> None:
        self._batches = batches

    def get_next(self) -> dict[str, Pixels] | None:
        """The next batch, None after the last one."""
        batch = next(self._batches, None)
        return None if batch is None else {"pictures": batch}


def _written(graph: onnx.ModelProto) -> bytes:
    """As bundles hold it: all data raw, no notes."""
    for tensor in graph.graph.initializer:
        if not tensor.HasField("raw_data"):
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor), tensor.name))
    graph.ClearField("metadata_props")
    graph.graph.ClearField("value_info")
    graph.graph.ClearField("quantization_annotation")
    content = cast(bytes, graph.SerializeToString())
    require_plain(content)
    return content
