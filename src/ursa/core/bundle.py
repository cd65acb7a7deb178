"""The format of a bundle: what export writes and serving reads. A changed byte in any part is refused.

A bundle is a folder, or a `.ursa` zip of one, with

    bundle.json           format version, classes in order, preparation, temperature, metrics, hashes of all parts
    model.onnx            pictures [N, size, size, 3] uint8 -> logits [N, K] float32
    weights.safetensors   the same weights, to go on training from
    card.md               for people

`bundle.json` also carries its own hash, taken with that hash left out.
"""

import hashlib
import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ursa.core.labels import Labels
from ursa.core.prepare import Preparation
from ursa.errors import BundleError, DataError

FORMAT = 1
MANIFEST = "bundle.json"
PARTS = ("model.onnx", "weights.safetensors", "card.md")

LARGEST_SIZE = 4096  # pixels; a view of that size is 50 MB

COPY_AGAIN = "copy it again, whole"


@dataclass(frozen=True)
class Bundle:
    """A bundle that was read and found whole."""

    labels: Labels
    preparation: Preparation
    temperature: float  # logits are divided by it before the softmax
    document: Mapping[str, Any]  # bundle.json
    parts: Mapping[str, bytes]


def manifest(document: Mapping[str, Any], parts: Mapping[str, bytes]) -> bytes:
    """bundle.json for these parts: the document with format version and hashes."""
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in parts.items()}
    whole = {"format": FORMAT, **document, "parts": hashes, "sha256": ""}
    text = json.dumps(whole, indent=1, ensure_ascii=False) + "\n"
    return text.replace('"sha256": ""', f'"sha256": "{hashlib.sha256(text.encode()).hexdigest()}"').encode()


def read(path: str | Path) -> Bundle:
    """The bundle at a path. Raises BundleError for anything missing, changed, or from a newer Ursa."""
    path = Path(path)
    if not path.exists():
        raise BundleError(f"there is no bundle {path}", fix="make one with `ursa train FOLDER --out model.ursa`")
    files = _from_folder(path) if path.is_dir() else _from_zip(path)
    if MANIFEST not in files:
        raise BundleError(f"{path} is not a bundle", found=f"no {MANIFEST} in it", fix="name what `ursa train` wrote")
    document = _checked(files.pop(MANIFEST), path)
    for name, wanted in document["parts"].items():
        if name not in files:
            raise BundleError(f"the bundle {path} is incomplete", found=f"{name} is missing", fix=COPY_AGAIN)
        if hashlib.sha256(files[name]).hexdigest() != wanted:
            raise _changed(path, name)
    return Bundle(
        labels=Labels(tuple(document["classes"])),
        preparation=Preparation(**document["preparation"]),
        temperature=float(document["temperature"]),
        document=document,
        parts={name: files[name] for name in document["parts"]},
    )


def _checked(data: bytes, path: Path) -> dict[str, Any]:
    """bundle.json -> its document, when its own hash is right and this Ursa knows its format."""
    try:
        text = data.decode()
        document = json.loads(text)
        version, digest = int(document["format"]), str(document["sha256"])
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as problem:
        raise BundleError(
            f"the bundle {path} is damaged", found=f"{MANIFEST} cannot be read", fix=COPY_AGAIN
        ) from problem
    if version > FORMAT:
        raise BundleError(
            f"the bundle {path} was written by a newer Ursa",
            found=f"format {version}; this Ursa knows up to {FORMAT}",
            fix="python -m pip install --upgrade ursa-learn",
        )
    unsigned = text.replace(f'"sha256": "{digest}"', '"sha256": ""')
    if hashlib.sha256(unsigned.encode()).hexdigest() != digest:
        raise _changed(path, MANIFEST)
    try:
        size = Preparation(**document["preparation"]).size
        if not isinstance(size, int) or size > LARGEST_SIZE or version < 1:
            raise ValueError("size or format")
        names = document["classes"]
        if not isinstance(names, list) or len({name for name in names if isinstance(name, str)}) != len(names):
            raise ValueError("classes have to be names, each once")
        if not names or not set(PARTS) <= set(dict(document["parts"])):
            raise ValueError("classes or parts")
        if not 0 < float(document["temperature"]) < math.inf:
            raise ValueError("temperature")
    except (ValueError, KeyError, TypeError, DataError) as problem:
        raise BundleError(
            f"the bundle {path} is damaged", found=f"{MANIFEST}: {problem}", fix="export again"
        ) from problem
    return dict(document)


def _from_folder(path: Path) -> dict[str, bytes]:
    return {name: (path / name).read_bytes() for name in (MANIFEST, *PARTS) if (path / name).is_file()}


def _from_zip(path: Path) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(part.file_size for part in archive.infolist()) > max(64 << 20, 20 * path.stat().st_size):
                raise ValueError("it would unpack to many times its size")
            return {name: archive.read(name) for name in archive.namelist() if name in (MANIFEST, *PARTS)}
    except Exception as problem:  # on damage, zipfile and each of its decompressors raise errors of their own kinds
        raise BundleError(
            f"the bundle {path} is damaged, or is not a bundle", found=problem, fix=COPY_AGAIN
        ) from problem


def _changed(path: Path, part: str) -> BundleError:
    return BundleError(
        f"the bundle {path} was changed after it was written", found=f"{part} has another hash", fix=COPY_AGAIN
    )
