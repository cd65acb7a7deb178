"""Classifier -> ONNX: pictures [N, S, S, 3] uint8 -> logits [N, K] float32, any number of pictures at a time."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from typing import cast

import torch

from ursa.core.prepare import Preparation
from ursa.errors import BundleError
from ursa.training.models import Classifier


def to_onnx(model: Classifier, preparation: Preparation) -> bytes:
    """The model's graph, weights inside. Raises BundleError for a network that ONNX cannot express."""
    model = model.eval()
    example = torch.zeros(2, preparation.size, preparation.size, 3, dtype=torch.uint8)
    try:
        with quiet():
            program = torch.onnx.export(
                model,
                (example,),
                dynamo=True,
                input_names=["pictures"],
                output_names=["logits"],
                dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
                verbose=False,
            )
    except (torch.onnx.errors.OnnxExporterError, RuntimeError, ValueError) as problem:
        raise BundleError(
            "this network cannot be exported to ONNX",
            found=str(problem).splitlines()[0],
            fix="choose another backbone with --backbone",
        ) from problem
    if program is None:
        raise BundleError("this network cannot be exported to ONNX", fix="choose another backbone with --backbone")
    return cast(bytes, program.model_proto.SerializeToString())


@contextlib.contextmanager
def quiet() -> Iterator[None]:
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
