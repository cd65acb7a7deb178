"""What `image.read` says that it needs is never less than decoding takes, nor more than three times it."""

import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ursa.core.decoding import image
from ursa.core.decoding import memory_needed as limits
from ursa.errors import DataError

WIDTH, HEIGHT = 1800, 1300

CHILD = """
import json, os, sys
from pathlib import Path
import simplejpeg
from PIL import Image
from ursa.core.decoding import image

Image.init()

def status(line):
    with open("/proc/self/status") as lines:
        return next(int(each.split()[1]) for each in lines if each.startswith(line)) << 10

for file in sorted(Path(sys.argv[1]).iterdir()):
    for at_least in (None, 100) if file.name.startswith("JPEG-") else (None,):
        if os.fork() == 0:  # each in a child of its own: what one has freed, the next must not live on
            data = file.read_bytes()
            said = []
            Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
            before = status("VmRSS")
            shape = image.read(data, at_least, before=said.append).pixels.shape
            print(json.dumps([file.name, at_least, *said, status("VmHWM") - before, shape]), flush=True)
            os._exit(0)
        os.wait()
"""


class StopError(Exception):
    """Enough is known."""


def memory_needed(data, at_least=None, side="shorter"):
    """What `read` says before it decodes; 0 where it refuses the file before that."""

    def stop(count):
        raise StopError(count)

    try:
        image.read(data, at_least, side, before=stop)
    except StopError as stopped:
        return stopped.args[0]
    except DataError:
        return 0
    raise AssertionError("read without asking")


def icon(body: bytes) -> bytes:
    return b"\0\0\1\0\1\0" + struct.pack("<4B2H2I", 0, 0, 0, 0, 1, 32, len(body), 22) + body


def pictures(encode, photo) -> Iterator[tuple[str, bytes]]:
    """Every format and mode, of 2.3 megapixels."""
    rgb = Image.fromarray(photo(1, WIDTH, HEIGHT, noise=0))
    gray, palette, cmyk, alpha = rgb.convert("L"), rgb.quantize(64), rgb.convert("CMYK"), rgb.copy()
    alpha.putalpha(gray)
    bits, values = gray.convert("1"), np.asarray(gray)
    floats, deep, wide = (Image.fromarray(values.astype(kind)) for kind in (np.float32, np.uint16, np.int32))
    turned, sides = {"exif": b"Exif\0\0II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\6\0\0\0\0\0\0\0"}, b"%d %d " % rgb.size
    jpeg = encode(rgb, "JPEG")
    yield "JPEG-", jpeg
    yield "JPEG-grey", encode(gray, "JPEG")
    yield "JPEG-progressive", encode(rgb, "JPEG", progressive=True, subsampling=0)
    yield "JPEG-turned", encode(rgb, "JPEG", **turned)
    yield "JPEG-CMYK", encode(cmyk, "JPEG", progressive=True)
    yield "JPEG-with bytes between", jpeg[:20] + b"xx" + jpeg[20:]
    yield "JPEG-with bytes behind", jpeg[:-2] + bytes(100) + jpeg[-2:]
    for name, picture in (("", rgb), (" alpha", alpha), (" grey", gray), (" palette", palette), (" deep", deep)):
        yield f"PNG{name}", encode(picture, "PNG", compress_level=1)
    yield "PNG turned", encode(rgb, "PNG", compress_level=1, **turned)
    yield "PNG bits", encode(bits, "PNG")
    yield "GIF", encode(palette, "GIF")
    for name, picture in (("", rgb), (" grey", gray)):
        yield f"BMP{name}", encode(picture, "BMP")
        yield f"PPM{name}", encode(picture, "PPM")
        yield f"TIFF{name}", encode(picture, "TIFF")
        yield f"JPEG2000{name}", encode(picture, "JPEG2000")
        yield f"AVIF{name}", encode(picture, "AVIF", speed=10)
    yield "PGM of 254", b"P5 " + sides + b"254 " + bytes(WIDTH * HEIGHT)
    yield "PPM of 1000", b"P6 " + sides + b"1000 " + bytes(6 * WIDTH * HEIGHT)
    yield "PGM as text", b"P2 " + sides + b"255 " + b"9 " * (WIDTH * HEIGHT)
    yield "PBM as text", b"P1 " + sides + b"0" * (WIDTH * HEIGHT)
    yield "TIFF LZW", encode(rgb, "TIFF", compression="tiff_lzw", strip_size=1 << 30)
    yield "TIFF JPEG", encode(rgb, "TIFF", compression="jpeg")
    yield "TIFF floats", encode(floats, "TIFF", compression="tiff_adobe_deflate")
    yield "TIFF 32 bits", encode(wide, "TIFF")
    yield "TIFF 16 bits", encode(deep, "TIFF")
    yield "TIFF CMYK", encode(cmyk, "TIFF")
    yield "TIFF fax", encode(bits, "TIFF", compression="group4")
    yield "TIFF turned", encode(alpha, "TIFF", compression="tiff_lzw", tiffinfo={274: 6})
    yield "WEBP", encode(rgb, "WEBP", method=0)
    yield "WEBP lossless", encode(alpha, "WEBP", lossless=True, method=0, quality=0)
    yield "AVIF alpha", encode(alpha, "AVIF", speed=10, subsampling="4:4:4")
    yield "JPEG2000 tiles", encode(rgb, "JPEG2000", tile_size=(256, 256))
    yield "JPEG2000 small blocks", encode(gray, "JPEG2000", codeblock_size=(8, 8))
    yield "ICO", icon(encode(alpha, "PNG", compress_level=1))
    header = struct.pack("<IiiHHIIiiII", 40, WIDTH, 2 * HEIGHT, 1, 32, 0, 0, 0, 0, 0, 0)
    yield "ICO bitmap", icon(header + bytes(WIDTH * HEIGHT * 4))


@pytest.mark.slow
@pytest.mark.skipif(not os.access("/proc/self/clear_refs", os.W_OK), reason="only Linux tells the peak of a moment")
def test_every_format_and_mode_takes_what_was_said_and_not_much_less(tmp_path, encode, photo):
    for name, data in pictures(encode, photo):
        (tmp_path / name).write_bytes(data)
    env = {**os.environ, "PYTHONPATH": str(Path(image.__file__).parents[2])}
    script = [sys.executable, "-c", CHILD, str(tmp_path)]
    done = subprocess.run(script, capture_output=True, text=True, timeout=200, env=env)
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(rows) == len(list(tmp_path.iterdir())) + 7, done.stderr[-2000:]
    least = limits.LEAST + limits.LEAST_JPEG
    assert not [row for row in rows if not row[3] <= row[2] <= 3 * row[3] + least]


def test_a_small_file_may_need_much_and_it_is_known_from_its_header():
    """34 bytes of a WebP of 16383 x 4882 pixels; a JPEG 2000 of which only the header is there."""
    bits = (16383 - 1) | (4882 - 1) << 14
    webp = b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f" + bits.to_bytes(4, "little") + bytes(8)
    assert len(webp) == 33
    assert 1_200 << 20 < memory_needed(webp) < 2_500 << 20
    assert memory_needed(webp[:30]) == memory_needed(webp)


def test_what_is_refused_undecoded_needs_next_to_nothing():
    bits = 16383 | 16383 << 14
    webp = b"RIFF\x1a\0\0\0WEBPVP8L\x0d\0\0\0\x2f" + bits.to_bytes(4, "little") + bytes(8)
    for data in (b"", b"text", bytes(100), webp, b"\xff\xd8\xff\xe0", b"P6 60000 60000 255\n"):
        assert memory_needed(data) <= limits.LEAST


def test_a_jpeg_that_is_read_small_needs_little(encode, photo):
    data = encode(photo(1, 2000, 1500), "JPEG")
    assert memory_needed(data, 100) < 16 << 20 < memory_needed(data)


STARTS = [
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    b"GIF89a",
    b"BM",
    b"\0\0\1\0",
    b"II*\0\x08\0\0\0",
    b"P3 9 9 ",
]
STARTS += [b"RIFF\0\0\0\0WEBPVP8 ", b"\0\0\0\x14ftypavif", b"\xff\x4f\xff\x51\0\x2f", b"\0\0\0\x14ftypheic"]


@given(st.sampled_from(STARTS), st.binary(max_size=300), st.sampled_from([None, 1, 224]))
def test_any_bytes_are_judged_within_bounds(start, data, at_least):
    assert 0 <= memory_needed(start + data, at_least, "longer") < 8 << 30
