"""Files of weights through `ursa.models.load` and the reader of plain weights: safetensors and torch's own."""

import hashlib
import io
import json
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from fuzz.formats import documents
from fuzz.target import Target
from fuzz.values import bytes_changed


@cache
def _network() -> bytes:
    """A network of Ursa's own with 2 layers, as it is saved."""
    from ursa import models

    file = Path("net.safetensors")
    models.save(models.mlp(6, 3, hidden=(5,)), file, classes=["a", "b", "c"])
    return file.read_bytes()


@cache
def _state() -> bytes:
    """A state dict, as torch saves it."""
    import torch

    buffer = io.BytesIO()
    torch.save({"a": torch.zeros(3), "b": torch.ones(2, 2, dtype=torch.float16)}, buffer)
    return buffer.getvalue()


def case(rng: Random) -> bytes:
    """Bytes changed; or the header changed as JSON, with the hash over everything as it has to be."""
    data = _network()
    if rng.random() < 0.12:
        return bytes_changed(_state(), rng)
    if rng.random() < 0.35:
        return bytes_changed(data, rng)
    size = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + size]), data[8 + size :]
    if rng.random() < 0.6:
        recipe = documents.changed(json.loads(header["__metadata__"]["ursa"]), rng)
        text = documents.text(recipe, rng).encode("utf-8", "replace").decode()
        header["__metadata__"] = {"ursa": text, "sha256": _digest(text, header, body)}
    else:
        header = documents.changed(header, rng)
    head = documents.text(header, rng).encode("utf-8", "replace")
    return len(head).to_bytes(8, "little") + head + body


def _digest(text: str, header: dict[str, Any], body: bytes) -> str:
    """As `ursa.models.saving` computes it, for float32."""
    digest = hashlib.sha256(text.encode())
    for key in sorted(header.keys() - {"__metadata__"}):
        start, end = header[key]["data_offsets"]
        digest.update(f"\n{key} torch.float32 {header[key]['shape']}\n".encode() + body[start:end])
    return digest.hexdigest()


def run(data: bytes) -> None:
    """Load it as a network of Ursa's; read it as weights of anybody's."""
    from ursa import models
    from ursa.embed.pretrained.bodies import read_state
    from ursa.errors import UrsaError

    zipped = data.startswith(b"PK")
    file = Path("fuzzed.pt" if zipped else "fuzzed.safetensors")
    file.write_bytes(data)
    problem = None
    try:
        read_state(file)
    except UrsaError as error:
        problem = error
    if not zipped:
        models.load(file)
    if problem is not None:
        raise problem


@cache
def warm() -> None:
    """One sound network."""
    run(_network())
    run(_state())


TARGETS = (Target("weights", case, run, warm, weight=2, suffix=".safetensors"),)
