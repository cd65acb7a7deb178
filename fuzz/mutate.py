"""A file and others of its kind -> a mutant: by its structure where that is known, by bytes, spliced or cut."""

from collections.abc import Callable, Sequence
from random import Random

from fuzz.formats import bitmaps, boxes, gif, jpeg, png, riff, tiff
from fuzz.values import LARGEST, blob, bytes_changed

Mutate = Callable[[bytes, Random], bytes]


def mutated(data: bytes, rng: Random, others: Sequence[bytes] = ()) -> bytes:
    """One to four changes on top of each other, most of them one."""
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
        roll = rng.random()
        structured = by_structure(data)
        if roll < 0.65 and structured is not None:
            data = structured(data, rng)
        elif roll < 0.88 or not data:
            data = bytes_changed(data, rng)
        elif roll < 0.92 and others:
            data = spliced(data, rng.choice(others), rng)
        elif roll < 0.96:
            data = data[: rng.randrange(len(data))]
        else:
            data += blob(rng, 4096)
    return data[:LARGEST]


def by_structure(data: bytes) -> Mutate | None:
    """The mutator that knows this format, by its first bytes."""
    for matches, mutate in STRUCTURED:
        if matches(data):
            return mutate
    return None


def spliced(data: bytes, other: bytes, rng: Random) -> bytes:
    """The beginning of one file and the end of another, or a piece of one inside the other."""
    a, b = rng.randrange(len(data) + 1), rng.randrange(len(other) + 1)
    return data[:a] + other[b:] if rng.random() < 0.5 else data[:a] + other[b : b + 512] + data[a:]


def _starts(*marks: bytes) -> Callable[[bytes], bool]:
    return lambda data: data.startswith(marks)


STRUCTURED: tuple[tuple[Callable[[bytes], bool], Mutate], ...] = (
    (_starts(b"\xff\xd8"), jpeg.mutate),
    (_starts(png.SIGNATURE), png.mutate),
    (_starts(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), tiff.mutate),
    (lambda data: data.startswith(b"RIFF") and data[8:12] == b"WEBP", riff.mutate),
    (_starts(b"GIF8"), gif.mutate),
    (lambda data: data[4:8] in (b"ftyp", b"jP  "), boxes.mutate),
    (_starts(b"\xff\x4f\xff\x51"), boxes.mutate_codestream),
    (_starts(b"BM"), bitmaps.mutate_bmp),
    (_starts(b"\0\0\1\0"), bitmaps.mutate_ico),
    (lambda data: data[:1] == b"P" and data[1:2] in b"1234567fF", bitmaps.mutate_ppm),
)
