"""Where a bundle goes, and whether one can be written there: asked before an hour of training, not after it."""

import os
from pathlib import Path

from ursa import workspace
from ursa.core.bundles.bundle_document import require_names
from ursa.core.labels import Labels
from ursa.data.catalog import Catalog
from ursa.errors import DataError
from ursa.prepared.setup import Data, Setup


def default(data: Data, setup: Setup) -> Path:
    """FOLDER.ursa where the user stands; in the workspace for those who stand among their pictures."""
    place = data.root if isinstance(data, Catalog) else Path(data)
    root, here = (place if place.is_dir() else place.parent).resolve(), Path.cwd()
    if place.is_dir() and (here == root or root in here.parents):
        return (setup.workspace or root / workspace.NAME) / "model.ursa"
    return Path(f"{place.resolve().stem if place.is_file() else root.name}.ursa")


def writable(out: Path) -> Path:
    """`out`, if a bundle can be written there. Raises DataError where not."""
    above = next(place for place in out.absolute().parents if place.exists())
    if not os.access(above, os.W_OK) or (out.is_dir() and out.suffix == ".ursa"):
        raise DataError(f"cannot write the bundle {out}", fix="name another file: --out FILE.ursa")
    return out


def require_exportable(labels: Labels) -> None:
    """Raises DataError for classes that no bundle can hold."""
    try:
        require_names(labels.names)
    except ValueError as problem:
        raise DataError("a class has a name that no bundle can hold", found=problem, fix="rename its folder") from None
