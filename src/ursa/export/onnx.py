"""A network -> the bytes of an ONNX graph, weights inside, that takes any number of examples at a time."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from ursa.core.bundles.onnx_rules import require_plain
from ursa.core.prepare import Preparation
from ursa.errors import BundleError, first_line

if TYPE_CHECKING:
    import onnx


ANOTHER = "choose another backbone with --backbone"


def to_onnx(model: nn.Module, preparation: Preparation) -> bytes:
    """pictures [N, S, S, 3] uint8 -> logits [N, K] float32.

    Raises BundleError as `graph` does, and for a network that no bundle may hold (`core/onnx_rules.py`).
    """
    example = torch.zeros(2, preparation.size, preparation.size, 3, dtype=torch.uint8)
    content = graph(model, (example,), ["pictures"], ["logits"], fix=ANOTHER)
    try:
        require_plain(content)
    except BundleError as problem:
        raise BundleError("this network cannot become a bundle", found=problem.found, fix=ANOTHER) from problem
    return content


def graph(
    model: nn.Module,
    examples: tuple[Tensor, ...],
    inputs: Sequence[str],
    outputs: Sequence[str],
    *,
    fix: str = "see the notes of torch.onnx",
) -> bytes:
    """examples: a tensor [2, ...] for each input; inputs, outputs: their names.

    Raises BundleError for a network that ONNX cannot express, with `fix`.
    """
    each = tuple({0: torch.export.Dim("batch", min=1)} for _ in examples)
    try:
        with _quiet():
            program = torch.onnx.export(
                model.eval(),
                examples,
                dynamo=True,
                input_names=inputs,
                output_names=outputs,
                dynamic_shapes=(each,) if _takes_any_number(model) else each,
                verbose=False,
            )
    except (torch.onnx.errors.OnnxExporterError, RuntimeError, ValueError) as problem:
        raise BundleError("this network cannot be exported to ONNX", found=_reason(problem), fix=fix) from problem
    if program is None:
        raise BundleError("this network cannot be exported to ONNX", found=type(model).__name__, fix=fix)
    return _without_notes(program.model_proto)


def _reason(problem: BaseException) -> str:
    """The first line of what began it: the exporter wraps it in advice on how to report it, with colors."""
    while problem.__cause__ is not None:
        problem = problem.__cause__
    return f"{type(problem).__name__}: {first_line(problem)}"


def _without_notes(model: "onnx.ModelProto") -> bytes:
    """The exporter notes which lines of code each node came from, with paths of this machine: they stay here."""
    for each in (
        model,
        model.graph,
        *model.graph.node,
        *model.graph.initializer,
        *model.graph.input,
        *model.graph.output,
    ):
        each.ClearField("metadata_props")
        each.ClearField("doc_string")
    model.graph.ClearField("value_info")
    return cast(bytes, model.SerializeToString())


def _takes_any_number(model: nn.Module) -> bool:
    """Whether its forward is written with *inputs, which torch.export wants to be told of as one tuple."""
    return bool(model.forward.__code__.co_flags & 0x04)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter tells its progress and its own deprecations to users, who can do nothing about them."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
