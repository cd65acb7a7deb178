"""Any network -> ONNX, weights inside, any number of examples at a time; proven to compute what the network does."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ursa import workspace
from ursa.core.bundles.onnx_runtime import onnxruntime
from ursa.errors import BundleError
from ursa.export.onnx import graph
from ursa.export.parity import LIMIT
from ursa.training.tensor_tree import tree_leaves


def export_network(model: nn.Module, examples: Sequence[Tensor], out: Path) -> float:
    """Write `out` and return the largest difference of any output between network and file, over the examples.

    examples: one tensor [N, ...] for each input, N of 2 or more, on the network's device. Inputs are called `input`, or
    `input_0` and so on; outputs `output`, or by the names of a dict. Raises BundleError for a network that ONNX cannot
    express, and, with nothing written, where both differ by more than `parity.LIMIT` of the outputs' size.
    """
    model = model.eval()
    few = tuple(x[:2].cpu() for x in examples)
    device = next((p.device for p in model.parameters()), torch.device("cpu"))
    with torch.inference_mode():
        outputs = model(*(x.to(device) for x in examples))
    try:
        content = graph(model.cpu(), few, _names("input", len(few)), _output_names(outputs))
    finally:
        model.to(device)
    difference = _difference(
        content, [x.cpu().numpy() for x in examples], [x.cpu().numpy() for x in tree_leaves(outputs)]
    )
    with workspace.writing(out, "another path") as file:
        file.write(content)
    return difference


def _difference(
    content: bytes, inputs: "list[np.typing.NDArray[Any]]", outputs: "list[np.typing.NDArray[Any]]"
) -> float:
    session = onnxruntime().InferenceSession(content, providers=["CPUExecutionProvider"])
    names = [place.name for place in session.get_inputs()]
    found = session.run(None, dict(zip(names, inputs, strict=True)))
    worst = 0.0
    for ours, theirs in zip(outputs, found, strict=True):
        size = max(1.0, float(np.abs(ours).max(initial=0)))
        worst = max(worst, float(np.abs(ours - theirs).max(initial=0)) / size)
    if not worst <= LIMIT:  # NaN is refused too
        raise BundleError(
            "the exported network does not compute what the network does, so it was not written",
            found=f"outputs differ by up to {worst:.2g} on {len(inputs[0])} examples; {LIMIT:g} is allowed",
            fix="look for layers that export differently, such as ones with control flow",
        )
    return worst


def _names(word: str, count: int) -> list[str]:
    return [word] if count == 1 else [f"{word}_{number}" for number in range(count)]


def _output_names(outputs: Any) -> list[str]:
    if isinstance(outputs, Mapping):
        return [str(name) for name in outputs]
    return _names("output", len(tree_leaves(outputs)))
