"""Bytes -> the fields of a protobuf message, strictly: only what a schema names, each as it names it.

The readers of protobuf forgive (unknown fields, a field given twice, numbers that are cut to 32 bits), and what is
forgiven differently by two readers is how a check is passed by. So everything that a plain writer would not write is
refused. Wire format: https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Message = dict[str, Any]  # by name; a repeated field is a list; what is absent is not there
Schema = Mapping[int, "Field"]
Kind = Literal["int", "text", "bytes", "float", "refused"] | Schema  # of a message within: its schema

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5  # wire types; 3 and 4 are groups, which nobody writes any more
LONGEST_TAG = 5  # bytes: readers cut longer ones to 32 bits


class WireError(ValueError):
    """The bytes are no message of this schema."""


@dataclass(frozen=True)
class Field:
    """How one field of a message has to look."""

    name: str
    kind: Kind
    repeated: bool = False


@dataclass
class FieldBudget:
    """How many fields and numbers may still be read: a small file must not take long."""

    left: int = field(default=1_000_000)

    def take(self, count: int = 1) -> None:
        """Raises WireError when it is used up."""
        self.left -= count
        if self.left < 0:
            raise WireError("more fields than any model has")


def message(data: memoryview, schema: Schema, budget: FieldBudget) -> Message:
    """The fields by name; `bytes` and `text` fields are views into the data. Raises WireError.

    As deep as the schema, which must not contain itself.
    """
    found: Message = {}
    for number, wire, value in _fields(data):
        budget.take()
        known = schema.get(number)
        if known is None:
            raise WireError(f"a field of number {number}")
        if known.kind == "refused":
            raise WireError(known.name)
        values = _values(value, wire, known, budget)
        if known.repeated:
            found.setdefault(known.name, []).extend(values)
        elif known.name in found:
            raise WireError(f"{known.name} is given twice")
        else:
            found[known.name] = values[0]
    return found


def _values(value: int | memoryview, wire: int, known: Field, budget: FieldBudget) -> list[Any]:
    """One value, or of packed numbers all."""
    try:
        if known.kind == "int":
            if isinstance(value, int):
                return [_signed(value)]
            if wire == BYTES and known.repeated:
                return _packed(value, budget)
        elif known.kind == "float":
            if wire == FIXED32 or (wire == BYTES and known.repeated and len(value) % 4 == 0):  # type: ignore[arg-type]
                return [value]
        elif wire == BYTES and isinstance(value, memoryview):
            if known.kind == "text":
                str(value, "utf-8")
            return [message(value, known.kind, budget) if isinstance(known.kind, Mapping) else value]
    except UnicodeDecodeError:
        raise WireError(f"{known.name} is not text") from None
    except WireError as problem:
        raise WireError(f"{known.name}: {problem}") from problem
    raise WireError(f"{known.name} is of wire type {wire}")


def _packed(data: memoryview, budget: FieldBudget) -> list[int]:
    at, numbers = 0, []
    while at < len(data):
        budget.take()
        number, at = _varint(data, at)
        numbers.append(_signed(number))
    return numbers


def _fields(data: memoryview) -> Iterator[tuple[int, int, int | memoryview]]:
    at, end = 0, len(data)
    while at < end:
        tag, after = data[at], at + 1
        if tag >= 0x80:
            tag, after = _varint(data, at)
            if after - at > LONGEST_TAG or tag >= 1 << 32:
                raise WireError(f"a field of number {tag >> 3}")
        wire = tag & 7
        if wire == VARINT:
            value, at = _varint(data, after)
            yield tag >> 3, wire, value
            continue
        if wire == BYTES:
            length, after = _varint(data, after)
        elif wire in (FIXED64, FIXED32):
            length = 8 if wire == FIXED64 else 4
        else:
            raise WireError(f"wire type {wire}")
        at = after + length
        if at > end:
            raise WireError("it ends in the middle of a field")
        yield tag >> 3, wire, data[after:at]


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """(an unsigned number of at most 64 bits, where the next byte is)."""
    try:
        byte = data[at]
        if byte < 0x80:
            return byte, at + 1
        number, shift = byte & 0x7F, 7
        while True:
            at += 1
            byte = data[at]
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > 63:
                raise WireError("a number of more than 64 bits")
    except IndexError:
        raise WireError("it ends in the middle of a field") from None
    if number >= 1 << 64:
        raise WireError("a number of more than 64 bits")
    return number, at + 1


def _signed(number: int) -> int:
    return number - (1 << 64) if number >= 1 << 63 else number
