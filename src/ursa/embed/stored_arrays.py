"""Named arrays in the workspace, sealed, in a safetensors file: for what does without torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ursa import workspace

Arrays = Mapping[str, npt.NDArray[Any]]


def write_arrays(path: Path, arrays: Arrays) -> None:
    """In one piece. Raises DataError where it cannot be written."""
    from safetensors.numpy import save

    workspace.write_sealed(path, save({name: np.ascontiguousarray(array) for name, array in arrays.items()}))


def read_arrays(path: Path) -> Arrays | None:
    """None for a damaged file, one that another user wrote, or none: whoever asks computes and writes it again."""
    from safetensors.numpy import load

    data = workspace.read_sealed(path)
    return None if data is None else load(data)
