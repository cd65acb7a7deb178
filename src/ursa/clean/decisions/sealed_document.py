"""A JSON document of the workspace that is there only while it says something."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ursa import workspace


def write_or_remove(path: Path, document: Mapping[str, Any] | None) -> None:
    """Sealed and in one piece; None: no file at all, nor its seals. Raises DataError where neither can be done."""
    if document is not None:
        workspace.write_sealed(path, json.dumps(document).encode())
        return
    for each in (path, path.with_name(f"{path.name}.seal")):
        try:
            each.unlink(missing_ok=True)
        except OSError as problem:
            raise workspace.cannot_write(each, problem) from problem
