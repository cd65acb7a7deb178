"""JPEG files made marker by marker, for frames that no encoder writes."""

import struct

EVERY_CODE = bytes((0, 1, *[0] * 14, 0))  # a Huffman table of one code, "00": no difference


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def frame(process: int, precision: int, height: int, width: int, factors: list[int], components: int | None = None):
    """SOFn; factors: of each component, horizontal * 16 + vertical."""
    count = len(factors) if components is None else components
    each = b"".join(bytes((number + 1, factor, 0)) for number, factor in enumerate(factors))
    return segment(0xC0 + process, struct.pack(">BHHB", precision, height, width, count) + each)


def scan(components: int, first: int, last: int) -> bytes:
    each = b"".join(bytes((number + 1, 0)) for number in range(components))
    return segment(0xDA, bytes((components,)) + each + bytes((first, last, 0)))


def lossless(width: int, height: int) -> bytes:
    """SOF3, three components of 8 bits, each sample as the one before it: grey."""
    table = segment(0xC4, b"\0" + EVERY_CODE)
    adobe = segment(0xEE, b"Adobe\0\x64\0\0\0\0\0")  # RGB, which a lossless file has to be
    bits = bytes((2 * 3 * width * height + 7) // 8)
    start = b"\xff\xd8" + adobe + frame(3, 8, height, width, [0x11] * 3) + table
    return start + scan(3, 1, 0) + bits + b"\xff\xd9"


def sequential(process: int = 0, precision: int = 8, height: int = 64, width: int = 64, factors=(0x11,) * 3, **but):
    """Grey blocks without end; but: `components` said, `tables=False`, `frames=2` of them, `between` bytes."""
    factors = list(factors)
    tables = segment(0xDB, b"\0" + b"\1" * 64) + segment(0xC4, b"\0" + EVERY_CODE + b"\x10" + EVERY_CODE)
    if not but.get("tables", True):
        tables = b""
    header = frame(process, precision, height, width, factors, but.get("components"))
    start = b"\xff\xd8" + tables + header * but.get("frames", 1) + but.get("between", b"")
    pairs = [(max(1, factor >> 4), max(1, factor & 15)) for factor in factors] or [(1, 1)]
    across, down = (1, 1) if len(pairs) == 1 else (max(h for h, _ in pairs), max(v for _, v in pairs))
    blocks = 1 if len(pairs) == 1 else sum(h * v for h, v in pairs)
    bits = 4 * blocks * -(-width // (8 * across)) * -(-height // (8 * down))
    return start + scan(min(len(factors), 4), 0, 63) + bytes(min((bits + 7) // 8, 1 << 16)) + b"\xff\xd9"
