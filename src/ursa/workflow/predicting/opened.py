"""A bundle's path -> its predictor, with advice where the arguments were in the wrong order."""

from collections.abc import Sequence
from pathlib import Path

from ursa.errors import BundleError
from ursa.serve.predictor import Predictor


def opened(bundle: str | Path, other_way: str, others: Sequence[object], *, single_label: str = "") -> Predictor:
    """The predictor of a bundle; where the bundle is among the `others`, the error says the order of arguments.

    single_label: what needs one class a picture; then a bundle of another task is refused.
    """
    try:
        predictor = Predictor(bundle)
    except BundleError as problem:
        if not any(isinstance(other, str | Path) and str(other).endswith(".ursa") for other in others):
            raise
        raise BundleError(problem.what, found=problem.found, fix=f"the bundle comes first: {other_way}") from problem
    if single_label:
        predictor.require_single_label(single_label)
    return predictor
