"""Bundles through `bundle.read`, the predictor, one prediction and the server's own page: zip, JSON, ONNX."""

import json
import struct
import zipfile
from functools import cache
from pathlib import Path
from random import Random

from fuzz import tiny
from fuzz.asgi import Answer, asked
from fuzz.formats import documents, protobuf
from fuzz.mutate import spliced
from fuzz.target import LawError, Target
from fuzz.values import bytes_changed, number, put

STRANGE_OPERATORS = (
    "Loop",
    "If",
    "Scan",
    "StringNormalizer",
    "RandomNormal",
    "Resize",
    "Tile",
    "Expand",
    "ConstantOfShape",
)


def case(rng: Random) -> bytes:
    """A bundle that is damaged, or whole and hostile: its hashes are right."""
    files, text = tiny.parts(), json.dumps(tiny.document())
    match rng.randrange(8):
        case 0:
            return bytes_changed(tiny.bundle(), rng)
        case 1:
            return _zip(tiny.bundle(), rng)
        case 2 | 3 | 4:
            text = documents.text(documents.changed(tiny.document(), rng), rng)
        case 5 | 6:
            for _ in range(rng.choice((1, 1, 2, 3))):
                files["model.onnx"] = protobuf.mutate(files["model.onnx"], rng)
        case _:
            files["model.onnx"] = _operators(files["model.onnx"], rng)
    packing = zipfile.ZIP_DEFLATED if rng.random() < 0.1 else zipfile.ZIP_STORED
    return tiny.packed({"bundle.json": tiny.signed(text, files), **files}, packing)


def _zip(data: bytes, rng: Random) -> bytes:
    """A field of the zip's directory: sizes, offsets, names, how it is packed; or two bundles in one."""
    if rng.random() < 0.2:
        return spliced(data, tiny.packed(tiny.parts(), zipfile.ZIP_DEFLATED), rng)
    marks = (b"PK\x01\x02", b"PK\x05\x06", b"PK\x03\x04")
    starts = [at for mark in marks for at in range(len(data) - 30) if data[at : at + 4] == mark]
    at = rng.choice(starts) + rng.randrange(4, 30, 2)
    width = rng.choice((2, 4))
    return put(data, at, struct.pack("<I", number(rng, 32))[:width])


def _operators(model: bytes, rng: Random) -> bytes:
    """Another operator in place of one, or other text of the same length within the model."""
    names = (b"Cast", b"ReduceMean", b"Div", b"MatMul", b"pictures", b"logits", b"floats", b"means", b"N")
    old, new = rng.choice(names), rng.choice((*(name.encode() for name in STRANGE_OPERATORS), *names))
    fields = protobuf.parse(model) or []
    return protobuf.build(_replaced(fields, old, new))


def _replaced(fields: list[protobuf.Field], old: bytes, new: bytes) -> list[protobuf.Field]:
    out = []
    for field in fields:
        value = field.value
        if value == old:
            value = new
        elif isinstance(value, bytes) and field.wire == protobuf.BYTES and (inner := protobuf.parse(value)):
            value = protobuf.build(_replaced(inner, old, new))
        out.append(protobuf.Field(field.number, field.wire, value))
    return out


def run(data: bytes) -> None:
    """Read it, load it, predict one picture, ask for /health; the answer is JSON and no "something went wrong"."""
    import numpy as np

    from ursa.core.bundles import bundle
    from ursa.serve.app import app
    from ursa.serve.limits import ServerLimits
    from ursa.serve.predictor import Predictor

    file = Path("fuzzed.ursa")
    file.write_bytes(data)
    predictor = Predictor(bundle.read(file))
    predictor(np.zeros((20, 30, 3), np.uint8))
    checked(asked(app(predictor, limits=ServerLimits(cores=1)), "GET", "/health"))


def checked(answer: Answer) -> None:
    """Raises LawError for a 5xx other than 503, and for what strict JSON does not know."""
    if answer.status >= 500 and answer.status != 503:
        raise LawError(f"status {answer.status}")
    if answer.body and b"json" in answer.headers.get(b"content-type", b""):
        json.loads(answer.body, parse_constant=_not_json)


def _not_json(word: str) -> None:
    raise LawError(f"{word} in JSON")


@cache
def warm() -> None:
    """One sound bundle."""
    run(tiny.bundle())


TARGETS = (Target("bundles", case, run, warm, megabytes=400, weight=3, suffix=".ursa"),)
