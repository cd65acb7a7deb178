"""The parts of a bundle -> a file or a folder, in one piece; a bundle -> the same with other thresholds, or another
model. No torch."""

import contextlib
import datetime
import hashlib
import os
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ursa import seals, workspace
from ursa.core.bundles import bundle
from ursa.core.bundles.bundle import Bundle
from ursa.core.bundles.example import Example, example_name
from ursa.errors import BundleError, DataError
from ursa.export.card import card_or

WRITTEN_ANEW = ("format", "parts", "sha256")  # keys of bundle.json


def with_thresholds(source: Bundle, thresholds: Mapping[str, Any], out: Path) -> Path:
    """The same model with other thresholds (see `core/decisions.py`), written to `out`, which may be where it lies.

    Raises DataError for thresholds that are none of this model, and where it cannot be written.
    """
    return _written({**_kept(source), "thresholds": dict(thresholds)}, source.parts, out)


def with_card(source: Bundle, about: Mapping[str, str], examples: Sequence[Example] | None, out: Path) -> Path:
    """The same model with what a person writes into its card, and other examples (None: the same), written to `out`.

    about: keys of `bundle_document.ABOUT`; an empty text takes a statement out again. Raises BundleError for a text
    that no bundle may hold, DataError where it cannot be written.
    """
    document = {"thresholds": {}, **_kept(source)}
    document["about"] = {key: text for key, text in {**document.get("about", {}), **about}.items() if text.strip()}
    parts = dict(source.parts)
    if examples is not None:
        parts = {name: data for name, data in parts.items() if not name.startswith("example-")}
        parts |= {example_name(number): one.jpeg for number, one in enumerate(examples)}
        document["examples"] = [
            {"part": example_name(number), "label": one.label} for number, one in enumerate(examples)
        ]
    return _written(document, parts, out)


def _kept(source: Bundle) -> dict[str, Any]:
    """What stays of its document."""
    return {key: value for key, value in source.document.items() if key not in WRITTEN_ANEW}


def _written(document: Mapping[str, Any], parts: Mapping[str, bytes], out: Path) -> Path:
    """With a card written anew, hashes and all."""
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in parts.items()}
    before = parts["card.md"].decode("utf-8", "surrogateescape")  # of one that lacks what Ursa's own have
    text = card_or({**document, "parts": hashes}, before)
    parts = {**parts, "card.md": text.encode("utf-8", "surrogateescape")}
    content = bundle.manifest(document, parts)
    bundle.require_readable(content)
    write(out, {bundle.MANIFEST: content, **parts})
    return out


def with_model(source: Bundle, model: bytes, quantized: Mapping[str, Any], difference: float, out: Path) -> Path:
    """The same classes, weights and thresholds with a smaller model, written to `out`.

    quantized: what was measured of it; difference: the largest of any probability from the model that it was made of.
    Its seal is this user's, as it was made here; a stranger's bundle has been tried before.
    """
    document = {
        **_kept(source),
        "created": now(),
        "quantized": dict(quantized),
        "parity": {"pictures": quantized["pictures"], "difference": difference},
        "seal": seals.seal("model.onnx", hashlib.sha256(model).hexdigest().encode()),
    }
    return _written(document, {**source.parts, "model.onnx": model}, out)


def now() -> str:
    """UTC, ISO 8601. As everybody sets it who builds the same bytes again: https://reproducible-builds.org/specs/source-date-epoch"""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    fixed = given.isdigit() and len(given) <= 10
    at = datetime.datetime.fromtimestamp(int(given), datetime.UTC) if fixed else datetime.datetime.now(datetime.UTC)
    return at.isoformat(timespec="seconds")


def write(out: Path, files: Mapping[str, bytes]) -> None:
    """A `.ursa` file or a folder, in one piece: what was there before stays whole until all of the new one is on disk.

    In a zip nothing is compressed, as readers require. Raises DataError when it cannot be written.
    """
    if out.suffix == ".ursa" and out.is_dir():
        raise BundleError(f"{out} is a folder", fix="choose another name for the bundle")
    try:
        if out.suffix == ".ursa":
            _write_zip(out, files)
        else:
            _write_folder(out, files)
    except DataError as problem:
        fix = "free some space, or write the bundle elsewhere: --out FILE.ursa"
        raise DataError(problem.what, found=problem.found, fix=fix) from problem


def _write_zip(out: Path, files: Mapping[str, bytes]) -> None:
    with workspace.writing(out) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), data)


def _write_folder(out: Path, files: Mapping[str, bytes]) -> None:
    """All parts are on disk before the first of them is renamed, and the manifest is renamed last."""
    with contextlib.ExitStack() as parts:  # leaves what it entered in the reverse order
        for name in sorted(files, key=lambda name: name != bundle.MANIFEST):
            file = parts.enter_context(workspace.writing(out / name))
            file.write(files[name])
            file.flush()
            os.fsync(file.fileno())
