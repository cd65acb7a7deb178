"""last_setup.json: how the pictures of a workspace were read last, so that the next command need not be told again."""

import json
from pathlib import Path
from typing import Any

from ursa import workspace
from ursa.data.catalog import Catalog
from ursa.embed.backbone import DEFAULT
from ursa.embed.pretrained.without_weights import WITHOUT_WEIGHTS
from ursa.prepared.setup import Data, Setup
from ursa.workspace import Workspace

WORDS = ("backbone", "weights", "pattern")  # text, or null
FIELDS = (*WORDS, "table")


def remember(space: Workspace, data: Data, setup: Setup) -> None:
    """Write down backbone, weights, pattern and table. Raises DataError where it cannot be written.

    A backbone that stood in for the default one is not: the next command may need another, or have the weights.
    """
    backbone = DEFAULT if not setup.named and setup.backbone in WITHOUT_WEIGHTS else setup.backbone
    weights = None if setup.weights is None else str(setup.weights.absolute())
    document = {"backbone": backbone, "weights": weights, "pattern": setup.pattern, "table": dict(setup.table)}
    workspace.write_sealed(space.last_setup, json.dumps({"data": _named(data), **document}).encode())


def recall(data: str | Path, at: Path | None = None) -> dict[str, Any]:
    """What was written down for these pictures: some of FIELDS. at: the workspace, `.ursa/` beside them if None.

    Nothing where there is none, where it is of other pictures, damaged, or was not written by this user.
    """
    known = workspace.object_of(workspace.read_sealed(workspace_of(data, at).last_setup))
    if known.get("data") != _named(data):
        return {}
    found = {name: known[name] for name in WORDS if isinstance(known.get(name), str)}
    table = known.get("table")
    if isinstance(table, dict) and table and all(isinstance(value, str) for value in table.values()):
        found["table"] = table
    return found


def workspace_of(data: str | Path, at: Path | None = None) -> Workspace:
    """The workspace of a folder or a table, there or not, before either was read."""
    place = Path(data)
    return Workspace.of(place if place.is_dir() else place.parent, at)


def _named(data: Data) -> str:
    return "" if isinstance(data, Catalog) else str(Path(data).resolve())
