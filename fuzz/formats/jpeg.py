"""JPEG as a list of segments (ITU T.81, annex B), each with the bytes that follow it up to the next marker."""

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from fuzz.values import blob, bytes_changed, number, put, rearranged

SOI, EOI, SOS, DHT, DQT, DRI, DNL, COM = 0xD8, 0xD9, 0xDA, 0xC4, 0xDB, 0xDD, 0xDC, 0xFE
ALONE = {0x01, *range(0xD0, 0xDA)}  # markers without a length
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
SAMPLINGS = (0x11, 0x21, 0x12, 0x22, 0x41, 0x14, 0x44, 0x42, 0x24, 0x31, 0x13, 0x00, 0x01, 0x10, 0xFF)
EXIF = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0"


@dataclass(frozen=True)
class Segment:
    """A marker, its payload (None where it has none), and the bytes after it: the coded data of a scan, or rubbish."""

    marker: int
    payload: bytes | None
    after: bytes = b""


Segments = list[Segment]


def parse(data: bytes) -> Segments:
    """The segments; `build` makes the same bytes of them again."""
    segments = [Segment(SOI, None)]
    place = 2
    while place < len(data):
        code = data[place + 1] if place + 1 < len(data) else 0
        if data[place] != 0xFF or code in (0, 0xFF) or 0xD0 <= code <= 0xD7:
            end = place + 1  # coded data: on to the next marker
            while (end := data.find(b"\xff", end)) >= 0 and not _is_marker(data, end):
                end += 1
            end = len(data) if end < 0 else end
            segments[-1] = replace(segments[-1], after=segments[-1].after + data[place:end])
            place = end
        elif code in ALONE:
            segments.append(Segment(code, None))
            place += 2
        else:
            length = int.from_bytes(data[place + 2 : place + 4], "big")
            if length < 2 or place + 2 + length > len(data):
                segments[-1] = replace(segments[-1], after=segments[-1].after + data[place:])
                break
            segments.append(Segment(code, data[place + 4 : place + 2 + length]))
            place += 2 + length
    return segments


def build(segments: Segments) -> bytes:
    """The bytes of these segments, with lengths that fit them."""
    parts = []
    for segment in segments:
        parts.append(bytes((0xFF, segment.marker)))
        if segment.payload is not None:
            payload = segment.payload[:65533]
            parts.append(struct.pack(">H", len(payload) + 2) + payload)
        parts.append(segment.after)
    return b"".join(parts)


def mutate(data: bytes, rng: Random) -> bytes:
    """One change of the structure."""
    return build(rng.choice(CHANGES)(parse(data), rng))


def _is_marker(data: bytes, place: int) -> bool:
    if data[place] != 0xFF or place + 1 >= len(data):
        return False
    return data[place + 1] not in (0, 0xFF) and not 0xD0 <= data[place + 1] <= 0xD7


def _changed(segments: Segments, rng: Random, markers: set[int], change: Callable[[Segment], Segment]) -> Segments:
    """One segment with one of these markers, changed; as it was where there is none."""
    places = [i for i, segment in enumerate(segments) if segment.marker in markers and segment.payload is not None]
    if not places:
        return segments
    at = rng.choice(places)
    return [*segments[:at], change(segments[at]), *segments[at + 1 :]]


def _order(segments: Segments, rng: Random) -> Segments:
    return [segments[0], *rearranged(segments[1:], rng, lambda: _new(rng))]


def _new(rng: Random) -> Segment:
    turned = EXIF + struct.pack(">H", number(rng, 8)) + bytes(6)
    choices = (
        Segment(DRI, struct.pack(">H", number(rng, 16))),
        Segment(COM, blob(rng, 60000)),
        Segment(0xE0 + rng.randrange(16), blob(rng)),
        Segment(0xE1, turned),
        Segment(0xE2, b"ICC_PROFILE\0" + bytes((number(rng, 8), number(rng, 8))) + blob(rng, 600)),
        Segment(0xEE, b"Adobe\0d\0\0\0\0" + bytes([rng.randrange(4)])),
        Segment(DNL, struct.pack(">H", number(rng, 16))),
        Segment(0xC0 + rng.randrange(16), _frame(rng)),
        Segment(rng.choice((SOI, EOI, 0x01, 0xD0 + rng.randrange(8))), None),
        Segment(rng.getrandbits(8), blob(rng)),
    )
    return rng.choice(choices)


def _frame(rng: Random) -> bytes:
    count = rng.choice((1, 3, 4, number(rng, 8)))
    parts = [bytes((i + 1, rng.choice(SAMPLINGS), min(i, 1))) for i in range(min(count, 20))]
    return struct.pack(">BHHB", rng.choice((8, 12, 16)), number(rng, 16), number(rng, 16), count) + b"".join(parts)


def _process(segments: Segments, rng: Random) -> Segments:
    """Another coding process: the frame's marker, and mostly scan parameters that are valid for it."""
    marker = rng.choice(sorted(FRAMES) if rng.random() < 0.4 else (0xC0, 0xC1, 0xC2, 0xC3, 0xC3))
    valid = rng.random() < 0.7
    lossless, progressive = marker in (0xC3, 0xC7, 0xCB, 0xCF), marker in (0xC2, 0xC6, 0xCA, 0xCE)
    ends = bytes((rng.randint(1, 7), 0, 0)) if lossless else b"\0\0\0" if progressive else b"\0\x3f\0"
    out = []
    for segment in segments:
        if segment.marker in FRAMES and segment.payload is not None:
            segment = replace(segment, marker=marker)
        if segment.marker == SOS and valid and segment.payload and len(segment.payload) > 3:
            segment = replace(segment, payload=segment.payload[:-3] + ends)
        out.append(segment)
    return out


def _frame_field(segments: Segments, rng: Random) -> Segments:
    def change(segment: Segment) -> Segment:
        frame = segment.payload or b""
        match rng.randrange(6):
            case 0:
                frame = put(frame, 0, bytes([rng.choice((8, 12, 16, 2, 1, 0, number(rng, 8)))]))
            case 1 | 2:
                size = rng.choice((number(rng, 16), rng.randint(1, 300)))
                frame = put(frame, rng.choice((1, 3)), struct.pack(">H", size))
            case 3:
                count = rng.choice((0, 1, 2, 3, 4, 10, 255))
                parts = [frame[6 + 3 * i : 9 + 3 * i] or bytes((i & 255, 0x11, 0)) for i in range(count)]
                frame = frame[:5] + bytes([count]) + b"".join(parts)
            case 4 if len(frame) > 8:
                at = 7 + 3 * rng.randrange((len(frame) - 6) // 3)
                frame = put(frame, at, bytes([rng.choice(SAMPLINGS)]))
            case _:
                frame = bytes_changed(frame, rng)
        return replace(segment, payload=frame)

    return _changed(segments, rng, FRAMES, change)


def _tables(segments: Segments, rng: Random) -> Segments:
    def change(segment: Segment) -> Segment:
        return replace(segment, payload=bytes_changed(segment.payload or b"", rng))

    return _changed(segments, rng, {DHT, DQT, DRI}, change)


def _scan_header(segments: Segments, rng: Random) -> Segments:
    def change(segment: Segment) -> Segment:
        head = segment.payload or b""
        if len(head) > 3 and rng.random() < 0.6:
            at = len(head) - rng.randint(1, 3)
            return replace(segment, payload=put(head, at, bytes([rng.choice((0, 1, 5, 6, 7, 63, 64, number(rng, 8)))])))
        return replace(segment, payload=bytes_changed(head, rng))

    return _changed(segments, rng, {SOS}, change)


def _scan_data(segments: Segments, rng: Random) -> Segments:
    def change(segment: Segment) -> Segment:
        after = segment.after
        if rng.random() < 0.3 and after:  # restart markers, in order or not
            for _ in range(rng.randint(1, 4)):
                at = rng.randrange(len(after))
                after = after[:at] + bytes((0xFF, 0xD0 + rng.randrange(8))) + after[at:]
            return replace(segment, after=after)
        return replace(segment, after=bytes_changed(after, rng))

    return _changed(segments, rng, {SOS}, change)


def _more_scans(segments: Segments, rng: Random) -> Segments:
    scans = [segment for segment in segments if segment.marker == SOS]
    if not scans:
        return segments
    more = [rng.choice(scans)] * rng.choice((1, 2, 20, 400))
    at = next(i for i, segment in enumerate(segments) if segment.marker == SOS) + rng.randint(0, 1)
    return [*segments[:at], *more, *segments[at:]]


CHANGES: tuple[Callable[[Segments, Random], Segments], ...] = (
    _order,
    _order,
    _process,
    _process,
    _frame_field,
    _frame_field,
    _tables,
    _scan_header,
    _scan_data,
    _more_scans,
)
