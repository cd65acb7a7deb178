"""Training runs in the workspace: a name for a new one, or the newest that can be gone on with; its checkpoints."""

import datetime
import hashlib
import itertools
from typing import TYPE_CHECKING

from ursa.core.labels import Labels
from ursa.data.catalog import Catalog
from ursa.errors import DataError, TrainingError
from ursa.workflow.setup import Prepared
from ursa.workspace import Workspace

if TYPE_CHECKING:
    from ursa.training.checkpoints import Checkpoints


def chosen(space: Workspace, *, resume: bool, timed: bool) -> str:
    """The run's name: a new one, made from the time, or with `resume` that of the newest run that has checkpoints.

    timed: with a limit of time, which a resumed run cannot keep. Raises DataError where there is nothing to go on with.
    """
    if not resume:
        return _new(space)
    if timed:
        raise TrainingError("a run with a limit of time cannot be resumed", fix="leave out --minutes, or --resume")
    found = sorted({path.parent.parent.name for path in space.runs.glob("*/checkpoints/step-*.safetensors")})
    if not found:
        raise DataError(
            "there is no unfinished run to go on with",
            found=f"no checkpoints in {space.runs}",
            fix="leave out --resume to begin a new one",
        )
    return found[-1]


def checkpoints(name: str, ready: Prepared, learn: Catalog, valid: Catalog, labels: Labels) -> "Checkpoints":
    """The checkpoints of a run, bound to its pictures, their classes and parts, and to the backbone."""
    from ursa.training.checkpoints import Checkpoints

    backbone = f"{ready.engine.backbone.name} ({ready.embeddings.fingerprint[:8]})"
    parts = f"{_said(learn, labels)} to learn from, {_said(valid, labels)} to validate"
    return Checkpoints(ready.space.checkpoints(name), data=f"{backbone}, {parts}")


def _said(part: Catalog, labels: Labels) -> str:
    """How many pictures, and a hash of them in their order with their classes."""
    digest = hashlib.sha256("\n".join(labels.names).encode())
    for picture, target in zip(part.rows["sha256"], part.targets(labels).tolist(), strict=True):
        digest.update(f"{picture} {target}\n".encode())
    return f"{len(part)} pictures ({digest.hexdigest()[:8]})"


def _new(space: Workspace) -> str:
    now = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d-%H%M%S")
    names = itertools.chain([now], (f"{now}-{count}" for count in itertools.count(2)))
    return next(name for name in names if not space.run(name).exists())
