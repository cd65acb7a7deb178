"""`ursa export --container`: a bundle -> a folder to build a container of its server from. No torch, no network."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ursa import workspace
from ursa.core.bundles import bundle as bundles
from ursa.core.bundles.bundle import Bundle
from ursa.workflow.results.short_repr import ShortRepr
from ursa.workflow.shipping.new_folder import require_empty, write_files

CODE = 8  # times its wheel that Ursa takes when it is installed: unpacked, and compiled (measured: 7.6)


@dataclass(frozen=True, repr=False)
class Containerized(ShortRepr):
    """What was written."""

    folder: Path
    image: str  # name:tag, as the files call it
    files: tuple[str, ...]
    megabytes: float  # that the image has beside its base: packages, Ursa, bundle

    def _shown(self) -> list[tuple[str, str]]:
        return [("folder", str(self.folder)), ("image", self.image), ("size", f"{self.megabytes:.0f} MB and the base")]

    def to_json(self) -> dict[str, Any]:
        """The document of `ursa export --container --json`."""
        return {
            "folder": str(self.folder),
            "image": self.image,
            "files": list(self.files),
            "megabytes": self.megabytes,
        }


def containerize(bundle: str | Path, folder: str | Path) -> Containerized:
    """Write into `folder`: Dockerfile, compose file, Kubernetes manifest, systemd unit, README, bundle, Ursa.

    The folder is new or empty; it can be a Hugging Face Space as it is. The packages have the versions that are
    installed here, Ursa is packed as it is installed here, and nobody is asked. Raises BundleError for the bundle,
    DataError for a folder that holds something, and where what serving needs is not installed.
    """
    from ursa.export.card import card_or
    from ursa.export.container.container_files import container_files, safe_name
    from ursa.export.container.pinned_requirements import pinned_requirements
    from ursa.export.container.ursa_wheel import ursa_wheel
    from ursa.serve.predictor import Predictor

    place, source = Path(folder), Path(bundle)
    require_empty(place)
    Predictor(source).close()  # what cannot be served is not packed
    read = bundles.read(source)
    requirements, (wheel, code) = pinned_requirements(), ursa_wheel()
    name = safe_name(source.stem)
    sha256 = str(read.document["sha256"])
    texts = container_files(source.stem, sha256, card_or(read.document, ""), wheel, requirements)
    _copy(source, read, place / f"{name}.ursa")
    write_files(place, {**texts, wheel: code})
    size = sum(each.bytes for each in requirements) + CODE * len(code) + sum(map(len, read.parts.values()))
    files = tuple(sorted((*texts, wheel, f"{name}.ursa")))
    return Containerized(place, f"{name}:{sha256[:12]}", files, size / 1e6)


def _copy(source: Path, read: Bundle, target: Path) -> None:
    """A `.ursa` file as it is, a folder packed into one."""
    from ursa.export.bundle_files import write

    if source.is_dir():
        write(target, {bundles.MANIFEST: (source / bundles.MANIFEST).read_bytes(), **read.parts})
        return
    with workspace.writing(target, "another folder") as file, source.open("rb") as opened:
        shutil.copyfileobj(opened, file)
