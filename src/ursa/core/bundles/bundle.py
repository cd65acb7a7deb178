"""The format of a bundle: what export writes and serving reads. A changed byte in any part is refused.

A bundle is a folder, or a `.ursa` zip of one with nothing compressed, with

    bundle.json           format version, task, classes in order, preparation, temperature, thresholds, metrics, hashes
                          of all parts and of the pictures that were learned from and judged on
    model.onnx            pictures [N, size, size, 3] uint8 -> [N, K] float32: logits, or numbers in their own units
    weights.safetensors   the same weights, to go on training from
    card.md               for people
    example-0.jpg, ...    pictures to try it with, where somebody put them in

`bundle.json` also carries its own hash, taken with that hash left out. Hashes find damage, not malice: anybody can
compute them, so nothing in a bundle is believed because its hash is right.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ursa.core import files
from ursa.core.bundles.bundle_document import parsed, require_valid
from ursa.core.bundles.bundle_zip import read_zip
from ursa.core.bundles.example import EXAMPLE_BYTES, JPEG, MOST_EXAMPLES, Example, example_name
from ursa.core.bundles.picture_hashes import PictureHashes
from ursa.core.decisions import Decisions
from ursa.core.labels import Labels
from ursa.core.prepare import Preparation
from ursa.core.tasks import SINGLE_LABEL
from ursa.core.text import escaped
from ursa.errors import BundleError, DataError

FORMAT = 2  # 1 knew one class a picture, no examples and no card that people fill in
MANIFEST = "bundle.json"
PARTS = ("model.onnx", "weights.safetensors", "card.md")

# Bytes. An ONNX file of more than 2 GB cannot be written; of class names and settings there are never megabytes.
LIMITS = {
    MANIFEST: 32 << 20,
    "model.onnx": 2 << 30,
    "weights.safetensors": 4 << 30,
    "card.md": 32 << 20,
    **{example_name(number): EXAMPLE_BYTES for number in range(MOST_EXAMPLES)},
}

COPY_AGAIN = "copy it again, whole"


@dataclass(frozen=True)
class Bundle:
    """A bundle that was read and found whole."""

    labels: Labels  # the classes; of a regression the names of the numbers
    preparation: Preparation
    temperature: float  # logits are divided by it before the softmax or the sigmoid
    document: Mapping[str, Any]  # bundle.json
    parts: Mapping[str, bytes]

    @property
    def task(self) -> str:
        """ "single-label", "multi-label" or "regression"."""
        return str(self.document.get("task", SINGLE_LABEL))

    @property
    def examples(self) -> tuple[Example, ...]:
        """Pictures to try it with; most bundles have none."""
        named = self.document.get("examples", [])
        return tuple(Example(str(one["label"]), self.parts[one["part"]]) for one in named)

    @property
    def pictures(self) -> PictureHashes | None:
        """What was learned from and judged on; None for a bundle of an Ursa that did not write it down."""
        known = self.document.get("pictures")
        return None if known is None else PictureHashes.from_json(known)

    @property
    def decisions(self) -> Decisions:
        """How its probabilities become answers; the most probable class where nothing else was written down."""
        return Decisions.from_json(self.document.get("thresholds", {}), self.labels.names)


def manifest(document: Mapping[str, Any], parts: Mapping[str, bytes]) -> bytes:
    """bundle.json for these parts: the document with format version and hashes."""
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in parts.items()}
    whole = {"format": FORMAT, **document, "parts": hashes, "sha256": ""}
    text = json.dumps(whole, indent=1, ensure_ascii=False) + "\n"
    return text.replace('"sha256": ""', f'"sha256": "{hashlib.sha256(text.encode()).hexdigest()}"').encode()


def require_readable(manifest: bytes) -> None:
    """Raises BundleError for a bundle.json that `read` would refuse: found before it is written."""
    try:
        _checked(manifest, Path(MANIFEST))
    except BundleError as problem:
        fix = "give classes short names without control characters"
        raise BundleError(
            "such a bundle could not be read, so it was not written", found=problem.found, fix=fix
        ) from None


def read(path: str | Path) -> Bundle:
    """The bundle at a path. Raises BundleError for anything missing, changed, or from a newer Ursa."""
    path = Path(path)
    if not path.exists():
        raise BundleError(f"there is no bundle {path}", fix="make one with `ursa train FOLDER --out model.ursa`")
    found = _files(path)
    if MANIFEST not in found:
        raise BundleError(f"{path} is not a bundle", found=f"no {MANIFEST} in it", fix="name what `ursa train` wrote")
    document = _checked(found.pop(MANIFEST), path)
    for name, wanted in document["parts"].items():
        if name not in found:
            raise BundleError(f"the bundle {path} is incomplete", found=f"{escaped(name)} is missing", fix=COPY_AGAIN)
        if hashlib.sha256(found[name]).hexdigest() != wanted:
            raise _changed(path, name)
    _require_examples(document, found, path)
    return Bundle(
        labels=Labels(tuple(document["classes"])),
        preparation=Preparation(**document["preparation"]),
        temperature=float(document["temperature"]),
        document=document,
        parts={name: found[name] for name in document["parts"]},
    )


def _files(path: Path) -> dict[str, bytes]:
    try:
        return _from_folder(path) if path.is_dir() else read_zip(path, LIMITS)
    except (ValueError, OSError, MemoryError, DataError) as problem:
        what = f"the bundle {path} is damaged, or is not a bundle"
        raise BundleError(what, found=_reason(problem), fix=COPY_AGAIN) from problem


def _from_folder(path: Path) -> dict[str, bytes]:
    """Links are not followed: a bundle is whole without the rest of the disk."""
    return {
        name: files.read_bytes(path / name, most, follow=False)
        for name, most in LIMITS.items()
        if os.path.lexists(path / name)
    }


def _checked(data: bytes, path: Path) -> dict[str, Any]:
    """bundle.json -> its document, when its own hash is right and this Ursa knows its format."""
    damaged = f"the bundle {path} is damaged"
    try:
        text = data.decode()
        document = parsed(text)
    except (ValueError, RecursionError) as problem:
        found = f"{MANIFEST} cannot be read: {escaped(problem)}"
        raise BundleError(damaged, found=found, fix=COPY_AGAIN) from problem
    version, digest = document.get("format"), document.get("sha256")
    if not isinstance(version, int) or version is True or version < 1 or not isinstance(digest, str):
        raise BundleError(damaged, found=f"{MANIFEST}: no format, or no sha256", fix=COPY_AGAIN)
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
        require_valid(document, PARTS)
    except (ValueError, DataError) as problem:
        raise BundleError(damaged, found=f"{MANIFEST}: {_reason(problem)}", fix="export again") from problem
    return document


def _require_examples(document: Mapping[str, Any], found: Mapping[str, bytes], path: Path) -> None:
    """They go to a visitor's browser as JPEG, undecoded."""
    for one in document.get("examples", []):
        part = one["part"]
        if part not in document["parts"]:
            raise BundleError(f"the bundle {path} is incomplete", found=f"{part} has no hash", fix="export again")
        if not found[part].startswith(JPEG):
            raise BundleError(f"the bundle {path} is damaged", found=f"{part} is no JPEG", fix="export again")


def _reason(problem: Exception) -> str:
    if isinstance(problem, DataError):
        return escaped(f"{problem.what}: {problem.found}")
    return escaped(problem) or type(problem).__name__


def _changed(path: Path, part: str) -> BundleError:
    return BundleError(
        f"the bundle {path} was changed after it was written", found=f"{part} has another hash", fix=COPY_AGAIN
    )
