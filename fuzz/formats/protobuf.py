"""Protobuf (ONNX) without its schema: fields changed at any depth, and the lengths around them made to fit."""

from dataclasses import dataclass
from random import Random

from fuzz.values import blob, bytes_changed, number, rearranged

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True)
class Field:
    """A number, a wire type, and an int or bytes."""

    number: int
    wire: int
    value: int | bytes


def parse(data: bytes) -> list[Field] | None:
    """The fields of a message; None where these bytes are none."""
    fields, place = [], 0
    while place < len(data):
        key, place = _varint(data, place)
        if place < 0 or not 0 < key >> 3 < 1000:
            return None
        wire = key & 7
        if wire == VARINT:
            value, place = _varint(data, place)
            if place < 0:
                return None
            fields.append(Field(key >> 3, wire, value))
            continue
        if wire == BYTES:
            size, place = _varint(data, place)
        else:
            size = {FIXED64: 8, FIXED32: 4}.get(wire, -1)
        if size < 0 or place < 0 or place + size > len(data):
            return None
        fields.append(Field(key >> 3, wire, data[place : place + size]))
        place += size
    return fields


def build(fields: list[Field]) -> bytes:
    """The bytes of a message."""
    parts = []
    for field in fields:
        parts.append(_encoded(field.number << 3 | field.wire))
        if isinstance(field.value, int):
            parts.append(_encoded(field.value))
        else:
            parts.append((_encoded(len(field.value)) if field.wire == BYTES else b"") + field.value)
    return b"".join(parts)


def mutate(data: bytes, rng: Random, deep: int = 0) -> bytes:
    """One change, in this message or in one within it."""
    fields = parse(data)
    if not fields or deep > 8:
        return bytes_changed(data, rng)
    inner = [i for i, field in enumerate(fields) if field.wire == BYTES and len(bytes(field.value)) > 1]
    if inner and rng.random() < 0.8:
        at = rng.choice(inner)
        value = fields[at].value
        assert isinstance(value, bytes)
        fields[at] = Field(fields[at].number, BYTES, mutate(value, rng, deep + 1))
        return build(fields)
    at = rng.randrange(len(fields))
    field = fields[at]
    match rng.randrange(4):
        case 0:
            fields = rearranged(fields, rng, lambda: Field(rng.randint(1, 30), BYTES, blob(rng)))
        case 1:
            fields[at] = Field(rng.randint(1, 25), field.wire, field.value)
        case _ if isinstance(field.value, int):
            fields[at] = Field(field.number, VARINT, rng.choice((number(rng, 64), rng.randrange(30))))
        case _:
            fields[at] = Field(field.number, field.wire, _sized(field, bytes_changed(bytes(field.value), rng)))
    return build(fields)


def _sized(field: Field, value: bytes) -> bytes:
    """A value of the length that its wire type has."""
    size = {FIXED64: 8, FIXED32: 4}.get(field.wire)
    return value if size is None else (value + bytes(size))[:size]


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """(value, place behind it); -1 as the place where there is none."""
    value, shift = 0, 0
    while place < len(data) and shift < 64:
        value |= (data[place] & 0x7F) << shift
        place += 1
        if not data[place - 1] & 0x80:
            return value, place
        shift += 7
    return 0, -1


def _encoded(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
