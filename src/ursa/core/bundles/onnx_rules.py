"""Which ONNX graphs a bundle may hold: those that Ursa's export writes, and that one trial proves harmless.

The operators are those that the exporter writes for networks on pictures (tests/export/test_operators.py exports the
families). And the pixels may decide nothing but numbers: no shape, no index and no divisor of integers may depend on
them, so that every picture costs the time and the memory that the trial at loading took.
"""

from collections.abc import Mapping

from ursa.core.bundles.onnx_file import BOOL, FLOAT, FLOATS, INT8, UINT8, OnnxGraph, OnnxNode, graph
from ursa.core.bundles.protobuf import WireError
from ursa.core.text import escaped
from ursa.errors import BundleError


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Of floats or booleans, and of anything that the pixels have no part in.
ARITHMETIC = _words(
    "Abs Add And AveragePool BatchNormalization Ceil Celu Clip Conv ConvTranspose Cos CumSum Div Einsum Elu Equal Erf "
    "Exp Floor Gelu Gemm GlobalAveragePool GlobalMaxPool Greater GreaterOrEqual GroupNormalization HardSigmoid "
    "HardSwish InstanceNormalization IsNaN LRN LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax "
    "LpNormalization MatMul Max MaxPool Mean Min Mish Mod Mul Neg Not Or PRelu Pow RMSNormalization Reciprocal "
    "ReduceL1 ReduceL2 ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Round "
    "Selu Sigmoid Sign Sin Softmax Softplus Softsign Sqrt Sub Sum Swish Tanh Where Xor"
)
# These move numbers about, so they may move the bytes of the pixels, too.
MOVES = _words(
    "Cast Concat DepthToSpace Expand Flatten Gather GatherElements GatherND Identity Pad Reshape Resize "
    "ScatterElements ScatterND Slice SpaceToDepth Split Squeeze Tile Transpose Trilu Unsqueeze"
)
SOURCES = _words("Constant ConstantOfShape Range Shape Size")
# Floats to numbers of 8 bits, and back (`export/quantization.py`). What the first one writes, only the second may read.
QUANTIZERS = _words("QuantizeLinear DequantizeLinear")
OPERATORS = ARITHMETIC | MOVES | SOURCES | QUANTIZERS

COMPARISONS = _words("And Equal Greater GreaterOrEqual IsNaN Less LessOrEqual Not Or Xor")
OF_SHAPE = _words("Shape Size")  # what they say depends on the shape of a value, not on its numbers

# The inputs that decide shapes or are used as indices.
DECIDING = {
    "ConstantOfShape": (0,),
    "CumSum": (1,),
    "Expand": (1,),
    "Gather": (1,),
    "GatherElements": (1,),
    "GatherND": (1,),
    "Pad": (1, 3),
    "Range": (0, 1, 2),
    "Reshape": (1,),
    "Resize": (1, 2, 3),
    "ScatterElements": (1,),
    "ScatterND": (1,),
    "Slice": (1, 2, 3, 4),
    "Split": (1,),
    "Squeeze": (1,),
    "Tile": (1,),
    "Trilu": (1,),
    "Unsqueeze": (1,),
    **{operator: (1,) for operator in OPERATORS if operator.startswith("Reduce")},
}


def require_plain(model: bytes) -> None:
    """Raises BundleError, which names what was found, for an ONNX file that a bundle must not hold."""
    try:
        _require_harmless(graph(model))
    except WireError as problem:
        raise BundleError(
            "the model is not of the kind that Ursa writes, so it is not opened",
            found=escaped(problem),
            fix="take bundles from people you trust, or train again: ursa train FOLDER",
        ) from problem


def _require_harmless(found: OnnxGraph) -> None:
    """Follows the pixels through the graph: kinds holds what depends on them, as "int", "float", "bool" or "int8"."""
    known = {b"", *found.weights, *found.inputs}
    kinds = dict.fromkeys(found.inputs, "int")
    if not found.outputs or not found.nodes:
        raise WireError("a graph without an output")
    if set(found.inputs) & found.weights.keys():
        raise WireError("an input that is a weight, too")
    for node in found.nodes:
        if node.operator not in OPERATORS:
            raise WireError(f"the operator {node.operator!r}")
        if not known.issuperset(node.inputs):
            raise WireError(f"an input of {node.operator} that nothing computes before it")
        kind = _kind(node, kinds, found.weights)
        for name in filter(None, node.outputs):
            if name in known:
                raise WireError("two values of one name")
            known.add(name)
            if kind is not None:
                kinds[name] = kind
    if not known.issuperset(found.outputs):
        raise WireError("an output that nothing computes")


def _kind(node: OnnxNode, kinds: Mapping[bytes, str], weights: Mapping[bytes, int]) -> str | None:
    """What the node's outputs are as far as the pixels decide them; None where they do not."""
    inputs = [kinds.get(name) for name in node.inputs]
    if any(inputs[at] for at in DECIDING.get(node.operator, ()) if at < len(inputs)):
        raise WireError(f"{node.operator} with a shape or an index that depends on the picture")
    found = set(filter(None, inputs))
    if not found or node.operator in OF_SHAPE:
        return None
    if len(node.outputs) > 1 and node.operator != "Split":  # such as the indices of MaxPool
        raise WireError(f"{node.operator} with further outputs")
    if node.operator in QUANTIZERS:
        return _quantizer(node, found, weights)
    if "int8" in found:
        raise WireError(f"{node.operator} of quantized numbers")
    if node.operator == "Cast":
        return _cast(node)
    if node.operator == "Where":
        found = set(filter(None, inputs[1:]))
    if node.operator == "Pow":
        found = {inputs[0] or "int"}  # the exponent may be of another type
    if node.operator in COMPARISONS:
        if "int" in found:
            raise WireError(f"{node.operator} of integers that depend on the picture")
        return "bool"
    if found == {"float"}:
        return "float"
    if node.operator not in MOVES:
        raise WireError(f"{node.operator} of integers that depend on the picture")
    return "int"


def _quantizer(node: OnnxNode, found: set[str], weights: Mapping[bytes, int]) -> str:
    """Scale and zero point are weights, and the numbers have 8 bits; along one axis at most, not in blocks."""
    plain = len(node.inputs) == 3 and node.attributes.keys() <= {b"axis"}
    if not plain or weights.get(node.inputs[1]) != FLOAT or weights.get(node.inputs[2]) not in (INT8, UINT8):
        raise WireError(f"{node.operator} of a kind that Ursa does not write")
    read, written = ("float", "int8") if node.operator == "QuantizeLinear" else ("int8", "float")
    if found != {read}:
        raise WireError(f"{node.operator} of {' and '.join(sorted(found))} that depends on the picture")
    return written


def _cast(node: OnnxNode) -> str:
    to = node.attributes.get(b"to", {}).get("i")
    if to in FLOATS:
        return "float"
    if to == BOOL:
        return "bool"
    raise WireError("Cast to integers of what depends on the picture")
