"""onnxruntime, told before it begins that it reports nothing to its makers.

Its official builds (seen: 1.31, on Linux) keep an identifier of the machine in the user's cache and send what they do
to Microsoft, unless this variable is set (its Privacy.md). A user's own setting stands.
"""

import os
from typing import Any


def onnxruntime() -> Any:
    """The module. The only place of Ursa that imports it, but for its quantizer."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime
