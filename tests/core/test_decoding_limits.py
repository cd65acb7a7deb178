"""Small files that would hold a core for long are refused with the limit; what programs write is far below it.

How long each took before is in docs/decisions.md. A test here that hangs has found its limit gone.
"""

import io
import struct
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ursa.core.decoding import decoding_limits, headers, image
from ursa.errors import DataError

sys.path.insert(0, str(Path(__file__).parent))
from synthetic_jpeg import segment, sequential


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(before: bytes = b"", pixels: bytes = b"", after: bytes = b"") -> bytes:
    packed = zlib.compress(b"\0" + bytes(12))
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">II5B", 4, 1, 8, 2, 0, 0, 0))
    return start + before + pixels + chunk(b"IDAT", packed) + after + chunk(b"IEND")


def gif(before: bytes = b"") -> bytes:
    """A frame of one pixel; before: extensions."""
    return b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff" + before + b",\0\0\0\0\1\0\1\0\0\2\2\x4c\1\0;"


def bmp(width: int, height: int, body: bytes, bits: int = 8) -> bytes:
    """Run-length encoded."""
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, 1 if bits == 8 else 2, len(body), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 1078 + len(body), 0, 0, 1078) + header + bytes(range(256)) * 4 + body


def tiff(tags: dict[int, tuple[int, int, int]], body: bytes = b"") -> bytes:
    """tags: number -> type, count, value; body: at place 8."""
    entries = b"".join(struct.pack("<HHII", tag, *said) for tag, said in sorted(tags.items()))
    return b"II*\0" + struct.pack("<I", 8 + len(body)) + body + struct.pack("<H", len(tags)) + entries + bytes(4)


GRAY = {256: (4, 1, 8), 257: (4, 1, 8), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1), 277: (3, 1, 1)}


def strips(count: int) -> bytes:
    """A TIFF of `count` rows of one pixel, each in a strip of its own, all of them the same byte."""
    places, lengths = struct.pack("<I", 8) * count, struct.pack("<I", 1) * count
    tags = GRAY | {256: (4, 1, 1), 257: (4, 1, count), 278: (4, 1, 1), 273: (4, count, 12), 279: (4, count, 12)}
    tags[279] = (4, count, 12 + 4 * count)
    return tiff(tags, bytes(4) + places + lengths)


def overlapping(directories: int, entries: int) -> bytes:
    """A TIFF whose directories after the first begin four bytes apart and share nearly all of their entries."""
    base = 200
    data = bytearray(base + 4 * directories + 12 * entries + 16)
    first = tiff(GRAY | {273: (4, 1, 100), 278: (4, 1, 8), 279: (4, 1, 64)})
    data[: len(first)] = first
    struct.pack_into("<I", data, len(first) - 4, base)
    for number in range(directories):
        struct.pack_into("<H", data, base + 4 * number, entries)
    for number in range(directories - 1):
        struct.pack_into("<I", data, base + 4 * number + 2 + 12 * entries, base + 4 * (number + 1))
    return bytes(data)


def progressive(scans: int, side: int = 16) -> bytes:
    """A progressive JPEG whose one scan comes again and again."""
    once = sequential(2, height=side, width=side)
    start = once.rindex(b"\xff\xda")
    return once[:start] + once[start:-2] * scans + b"\xff\xd9"


def ico(count: int) -> bytes:
    return b"\0\0\1\0" + struct.pack("<H", count) + bytes(16) * count + bytes(100)


def jp2(side: int, **options) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (side, side)).save(buffer, "JPEG2000", **options)
    return buffer.getvalue()


def with_code_blocks(width: int, height: int) -> bytes:
    """A codestream of which only the main header is there, in blocks of 4 x 4."""
    size = struct.pack(">H8IH", 0, width, height, 0, 0, width, height, 0, 0, 1) + b"\7\1\1"
    style = b"\0\0\0\1\0\5\0\0\0\1"
    return b"\xff\x4f" + segment(0x51, size) + segment(0x52, style) + b"\xff\xd9"


REFUSED = {
    "scans": lambda: progressive(1_001),
    "more than 600 scans": lambda: progressive(700, 2_000),
    "segments": lambda: b"\xff\xd8" + b"\xff\xe4\0\2" * 4_500_000 + sequential()[2:],
    "bytes between its segments": lambda: b"\xff\xd8\xff\xe4\0\2" + b"\xff\0" * 10_000_000 + sequential()[2:],
    "segments of EXIF": lambda: b"\xff\xd8" + segment(0xE1, b"Exif\0\0" + bytes(60_000)) * 300 + sequential()[2:],
    "entries": lambda: tiff(dict.fromkeys(range(1_000, 50_000), (4, 1, 1)) | GRAY),
    "strips": lambda: strips(200_000),
    "chunks": lambda: png(chunk(b"abCd") * 1_600_000),
    "chunks of pixels": lambda: png(pixels=chunk(b"IDAT") * 1_600_000),
    "others": lambda: png(after=chunk(b"abCd") * 1_600_000),
    "packed": lambda: png(chunk(b"zTXt", b"\0\0" + zlib.compress(bytes(1_000_000))) * 15_000),
    "blocks before its first frame": lambda: gif(b"!\xfe" + b"\1a" * 10_000_000 + b"\0"),
    "more than 65,536 blocks": lambda: gif(b"!\x01\0" * 6_000_000),
    "run-length encoded": lambda: bmp(8_000, 9_000, b"\1\0\0\0" * 9_000),
    "run-length encoded BMP of 2000 x 2000": lambda: bmp(2_000, 2_000, b"\1\0" * 10_000_000),
    "run-length encoded BMP of 8000 x 9000": lambda: bmp(8_000, 9_000, b"\xfa\0" * 300_000, bits=4),
    "an ICO of 65,535 pictures": lambda: ico(65_535),
    "tiles": lambda: jp2(1_100, tile_size=(16, 16), num_resolutions=1),
    "code-blocks": lambda: with_code_blocks(8_000, 8_000),
}


@pytest.mark.parametrize("said", REFUSED)
def test_what_would_hold_a_core_is_refused_with_the_limit(said):
    with pytest.raises(DataError) as error:
        image.read(REFUSED[said](), 224)
    assert error.value.what.startswith("too large: ") and said in error.value.what
    assert error.value.fix


def test_what_programs_write_is_far_below_the_limits(encode, photo):
    pixels = photo(1, 64, 48)
    text = chunk(b"tEXt", b"Comment\0" + bytes(range(65, 90)))
    allowed = [
        png(text * 200, chunk(b"IDAT") * 5_000, text * 200),
        gif(b"!\xfe" + (b"\xff" + bytes(range(255))) * 2_000 + b"\0"),
        bmp(4, 2, b"\4\1\0\0\4\2\0\1"),
        strips(4_000),
        overlapping(3, 20),
        encode(pixels, "JPEG", progressive=True),
        sequential(between=segment(0xE5, bytes(30_000)) * 500),
        sequential(between=segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0") * 4),
        encode(pixels, "JPEG2000", tile_size=(16, 16), num_resolutions=2),
        encode(pixels, "ICO", sizes=[(16, 16), (32, 32), (48, 48)]),
    ]
    for data in allowed:
        assert image.read(data).pixels.size


def test_an_honest_progressive_picture_of_the_largest_size_is_below_the_limit():
    frame = sequential(2, height=8_000, width=10_000)
    start = frame.rindex(b"\xff\xda")
    found = image.markers.frame(frame[:start] + frame[start:-2] * 15)
    decoding_limits.check_scans(frame[:start] + frame[start:-2] * 15 + b"\xff\xd9", found)


def test_scans_of_a_picture_behind_this_one_are_not_its_own():
    """A phone's JPEG holds several pictures; only marks up to the end of the first count where it matters."""
    behind = sequential() + progressive(3_000)
    frame = image.markers.frame(progressive(3) + behind)
    assert image.markers.scans(progressive(3) + behind, frame, 100) == 3
    assert image.markers.scans(progressive(3_000), frame, 100) == 101


def test_directories_that_share_their_entries_are_not_walked_over_and_over():
    """4 million entries in 53 KB, 6.3 s once."""
    data = overlapping(1_000, 4_000)
    walked = list(headers.directories(data))
    assert len(walked) <= 1 + -(-16 * headers.ENTRIES // 4_000)
    assert image.read(data).frames == len(walked)


def test_the_torture_files_and_photos_are_below_every_limit(shared):
    seen = 0
    for file in sorted((shared / "data").rglob("*")):
        if not file.is_file() or file.suffix in (".csv", ".npz", ".tsv", ".md"):
            continue
        data = file.read_bytes()
        kind = image.sniff(data)
        decoding_limits.check(data, kind)
        if kind == "JPEG" and (frame := image.markers.frame(data)) is not None and frame.is_sound:
            decoding_limits.check_scans(data, frame)
        seen += 1
    assert seen > 3_000


def test_run_lengths_come_out_as_they_were(encode, photo):
    """Rows that end early, and a jump: what the limit counts is what Pillow writes."""
    data = bmp(6, 3, b"\2\7\0\0\0\2\1\0\3\x09\0\0\6\1\0\1")
    pixels = image.read(data).pixels
    assert pixels.shape == (3, 6, 3) and np.unique(pixels).size > 1
