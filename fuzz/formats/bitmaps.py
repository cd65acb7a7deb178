"""BMP, ICO and PPM: short headers with numbers at known places."""

import struct
from random import Random

from fuzz.formats import png
from fuzz.values import bytes_changed, number, put

BMP_FIELDS = ((2, 4), (10, 4), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2), (30, 4), (34, 4), (46, 4), (50, 4))


def mutate_bmp(data: bytes, rng: Random) -> bytes:
    """A field of the header, or the pixels (run lengths, where it is packed)."""
    if rng.random() < 0.3 and len(data) > 54:
        return data[:54] + bytes_changed(data[54:], rng)
    at, width = rng.choice(BMP_FIELDS)
    value = number(rng, 8 * width)
    if at == 28:
        value = rng.choice((1, 2, 4, 8, 16, 24, 32, 0))
    elif at == 30:
        value = rng.choice((0, 1, 2, 3, 4, 5, 6, 11, 12, 13))
    elif at in (18, 22):
        value = rng.choice((value, rng.randint(1, 300), (1 << 32) - rng.randint(1, 300)))
    elif at == 14:
        value = rng.choice((12, 16, 40, 52, 56, 64, 108, 124, value))
    return put(data, at, value.to_bytes(width, "little"))[: max(len(data), 54)]


def mutate_ico(data: bytes, rng: Random) -> bytes:
    """A field of the directory, or the picture that it leads to."""
    count = min(int.from_bytes(data[4:6], "little"), (len(data) - 6) // 16)
    if count < 1 or rng.random() < 0.2:
        return put(data, 4, struct.pack("<H", number(rng, 16)))
    entry = 6 + 16 * rng.randrange(count)
    start = int.from_bytes(data[entry + 12 : entry + 16], "little")
    if rng.random() < 0.5 and start < len(data):
        inner = data[start:]
        inner = png.mutate(inner, rng) if inner.startswith(png.SIGNATURE) else bytes_changed(inner, rng)
        sized = put(data, entry + 8, struct.pack("<I", len(inner)))
        return sized[:start] + inner
    at, width = rng.choice(((0, 1), (1, 1), (2, 1), (4, 2), (6, 2), (8, 4), (12, 4)))
    return put(data, entry + at, number(rng, 8 * width).to_bytes(width, "little"))


def mutate_ppm(data: bytes, rng: Random) -> bytes:
    """A word of the header replaced, a comment put in, or the pixels changed."""
    words = data[:64].split(None, 4)
    if len(words) < 4 or rng.random() < 0.3:
        return bytes_changed(data, rng)
    start = data.find(words[3]) + len(words[3])
    odd = (
        b"0",
        b"1",
        b"-1",
        b"254",
        b"255",
        b"256",
        b"65535",
        b"65536",
        b"1e3",
        b"9" * 30,
        b"#",
        str(number(rng, 32)).encode(),
    )
    at = rng.randrange(4)
    words = [
        *words[:at],
        rng.choice((*(b"P%d" % i for i in range(1, 8)), b"Pf", b"Py") if at == 0 else odd),
        *words[at + 1 : 4],
    ]
    between = rng.choice((b" ", b"\n", b"\t", b"#\n", b"# " + b"x" * 300 + b"\n", b""))
    return between.join(words) + data[start:]
