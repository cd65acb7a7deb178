"""The fast decoder for JPEG: which frames reach it, at which size, and that it never writes beyond what is its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ursa.core.decoding import image, jpeg, markers
from ursa.errors import DataError

sys.path.insert(0, str(Path(__file__).parent))
from synthetic_jpeg import lossless, segment, sequential

HERE = str(Path(__file__).parent)


# --- the walk ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "components"), [("RGB", 3), ("L", 1), ("CMYK", 4)])
@pytest.mark.parametrize("progressive", [False, True])
def test_the_walk_finds_what_the_encoder_wrote(encode, photo, mode, components, progressive):
    data = encode(Image.fromarray(photo(1, 70, 50)).convert(mode), "JPEG", progressive=progressive)
    found = markers.frame(data)
    assert found is not None and found.is_sound and found.foreign is None
    assert (found.width, found.height, found.components, found.precision) == (70, 50, components, 8)
    assert found.process == (2 if progressive else 0) and found.is_multiscan == progressive
    assert data[found.scan : found.scan + 2] == b"\xff\xda"


def test_a_frame_inside_a_segment_is_not_taken_for_the_pictures_own(encode, photo):
    data = encode(photo(1, 70, 50), "JPEG")
    thumbnail = encode(photo(2, 16, 12), "JPEG")
    hidden = data[:2] + segment(0xE4, thumbnail) + segment(0xFE, lossless(8, 8)[:60]) + data[2:]
    assert markers.frame(hidden)[:6] == markers.frame(data)[:6]
    assert np.array_equal(image.read(hidden).pixels, image.read(data).pixels)


@pytest.mark.parametrize(
    ("added", "simple", "clean", "turn"),
    [
        (b"", True, True, False),
        (segment(0xE1, b"Exif\0\0II*\0\x08\0\0\0\0\0"), False, True, True),
        (segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x tiff:Orientation='6'/>"), False, True, True),
        (segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>"), True, True, False),
        (segment(0xFE, b"Exif\0\0 tiff:Orientation ICC_PROFILE\0"), True, True, False),  # a comment says nothing
        (segment(0xE2, b"ICC_PROFILE\0\1\1"), False, True, False),
        (segment(0xE2, b"MPF\0"), True, True, False),
        (b"\xff\xff\xff", True, True, False),  # fill bytes
        (b"\xff\xd0\xff\x01", True, True, False),  # markers without a length
        (b"xx", False, False, False),
        (b"\xff\0", False, False, False),
        (segment(0xE0, b"JFIF\0\2\1\0\0\1\0\1\0\0"), False, False, False),
        (segment(0xEE, b"Adobe\0\x64\0\0\0\0\5"), False, False, False),
    ],
)
def test_who_has_to_look_closer_is_found_by_the_walk(encode, photo, added, simple, clean, turn):
    data = encode(photo(1, 70, 50), "JPEG")
    changed = data[:20] + added + data[20:]  # behind the segment of JFIF
    found = markers.frame(changed)
    assert (found.is_simple, found.is_clean, found.may_turn) == (simple, clean, turn)
    assert np.array_equal(image.read(changed).pixels, image.read(data).pixels)


@given(st.binary(max_size=200), st.booleans())
def test_the_walk_ends_on_any_bytes(data, framed):
    start = b"\xff\xd8" + (sequential()[2:60] if framed else b"")
    try:
        found = markers.frame(start + data)
    except DataError as error:
        assert error.what.startswith("too large: ")
    else:
        assert found is None or found.scan < len(start + data)


@given(st.binary(max_size=300))
def test_scans_are_counted_to_an_end_on_any_bytes(data):
    start = sequential(2)
    found = markers.frame(start)
    for most in (0, 1, 5, 1000):
        assert 0 <= markers.scans(start + data, found, most) <= max(most + 1, 1000)


# --- what is refused by name ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (lossless(64, 64), "needs a decoder: a lossless JPEG, which Ursa does not read"),
        (sequential(9), "needs a decoder: an arithmetic-coded JPEG, which Ursa does not read"),
        (sequential(10), "needs a decoder: an arithmetic-coded JPEG, which Ursa does not read"),
        (sequential(5), "needs a decoder: a hierarchical JPEG, which Ursa does not read"),
        (sequential(1, precision=12), "needs a decoder: a JPEG of 12 bits, which Ursa does not read"),
        (sequential(height=60000, width=60000), "too large: 60000 x 60000 pixels"),
        (sequential(3, height=60000, width=60000), "too large: 60000 x 60000 pixels"),
        (sequential(frames=2), "unreadable: a damaged JPEG file"),
        (sequential(height=0), "unreadable: a damaged JPEG file"),  # the height would come in DNL
        (sequential(factors=(0x11, 0x11)), "unreadable: a damaged JPEG file"),
        (sequential(factors=(0x51, 0x11, 0x11)), "unreadable: a damaged JPEG file"),
        (sequential(between=segment(0xDE, bytes(9))), "unreadable: a damaged JPEG file"),  # DHP: hierarchical
    ],
)
@pytest.mark.parametrize("at_least", [None, 8, 64])
def test_what_the_fast_decoder_does_not_know_is_named_and_never_reaches_it(monkeypatch, data, named, at_least):
    import simplejpeg

    monkeypatch.setattr(simplejpeg, "decode_jpeg", None)
    with pytest.raises(DataError) as error:
        image.read(data, at_least)
    assert error.value.what.startswith(named)


def test_the_file_that_ended_the_process_is_refused_by_name(shared):
    data = (shared / "data" / "hostile" / "lossless.jpg").read_bytes()
    assert markers.frame(data).foreign == "a lossless JPEG"
    for at_least in (None, 16, 224):
        with pytest.raises(DataError, match=r"^needs a decoder: a lossless JPEG"):
            image.read(data, at_least)


def test_nothing_but_a_sound_frame_is_decoded_fast_whoever_asks(monkeypatch):
    import simplejpeg

    monkeypatch.setattr(simplejpeg, "decode_jpeg", None)  # a mistake here must not end the tests
    data = lossless(64, 64)
    with pytest.raises(ValueError, match="every scale"):
        jpeg.pixels(data, markers.frame(data), 8, "shorter")


def test_a_decoder_with_another_rule_for_the_size_is_not_believed(monkeypatch, encode, photo):
    """It must not write more than was made for it, and what it says has to have the shape that was computed."""
    import simplejpeg

    pixels = photo(1, 160, 120)
    data = encode(pixels, "JPEG", quality=95)
    asked = []

    def other(data, layout, *, buffer, **sizes):
        asked.append(buffer.shape)
        return np.zeros((buffer.shape[0] + 1, buffer.shape[1], 3), np.uint8)

    monkeypatch.setattr(simplejpeg, "decode_jpeg", other)
    picture = image.read(data, 30)
    assert asked[0] == (60, 80, 3)
    assert min(picture.pixels.shape[:2]) >= 60 and np.abs(picture.pixels.mean() - pixels.mean()) < 5


# --- the size ------------------------------------------------------------------------------------------------------


@given(*[st.integers(1, 65500)] * 2, st.integers(1, 4000), st.sampled_from(["shorter", "longer"]))
def test_the_size_is_computed_as_the_decoder_computes_it(height, width, at_least, side):
    import simplejpeg

    data = sequential(height=height, width=width)
    least = jpeg.least(height, width, at_least, side)
    assert jpeg.scaled(height, width, *least) == simplejpeg.decode_jpeg_header(data, *least)[:2]


@given(*[st.integers(1, 9000)] * 2, st.integers(1, 700), st.sampled_from(["shorter", "longer"]))
def test_what_pillow_halves_is_enough_too(height, width, at_least, side):
    least = jpeg.least(height, width, at_least, side)
    by = jpeg.halvings(height, width, *least)
    assert by == 1 or (height // by >= least[0] and width // by >= least[1])


def test_a_jpeg_in_cmyk_is_read_small_as_well(encode, photo):
    pixels = photo(3, 800, 600, noise=0)
    data = encode(Image.fromarray(pixels).convert("CMYK"), "JPEG", quality=95)
    picture = image.read(data, at_least=100)
    assert (picture.width, picture.height) == (800, 600)
    assert picture.pixels.shape == (300, 400, 3)
    assert np.abs(picture.pixels.astype(int) - pixels[1::2, 1::2]).mean() < 6


# --- headers of every kind, in a child that may die -------------------------------------------------------------------

CHILD = """
import io, json, sys
import numpy as np
import simplejpeg
from PIL import Image
sys.path.insert(0, sys.argv[1])
from synthetic_jpeg import lossless, segment, sequential
from ursa.core.decoding import image, jpeg, markers
from ursa.errors import DataError

MARGIN = 1 << 22
decode, beyond = simplejpeg.decode_jpeg, []

def watched(data, layout, *, buffer, **sizes):
    # Written into a larger piece of memory, so that what goes beyond the picture is seen before it kills.
    wide = np.full(buffer.size + MARGIN, 0xA5, np.uint8)
    try:
        said = decode(data, layout, buffer=wide, **sizes)
    finally:
        beyond.append(int((wide[buffer.size:] != 0xA5).sum()))
    buffer.reshape(-1)[:] = wide[:buffer.size]
    return buffer if said.shape == buffer.shape else said

simplejpeg.decode_jpeg = watched
PRECISIONS = (*range(2, 17), 0, 255)
FACTORS = (0x11, 0x21, 0x12, 0x22, 0x41, 0x14, 0x44, 0x31, 0x13, 0x00, 0x10, 0x01, 0x51, 0xFF)
SIDES = (0, 1, 2, 7, 8, 9, 63, 64, 200, 1000, 65535)

def synthetic(rng):
    pick = lambda values: values[int(rng.integers(len(values)))]
    if rng.random() < 0.1:
        return lossless(int(rng.integers(1, 400)), int(rng.integers(1, 400)))
    usual = rng.random() < 0.4
    count = pick((1, 3)) if usual or rng.random() < 0.5 else int(rng.integers(0, 12))
    factors = [pick(FACTORS[:4] if usual else FACTORS) for _ in range(count)]
    small = SIDES[3:9] if usual else SIDES
    but = {}
    if not usual:
        if rng.random() < 0.15:
            but["components"] = int(rng.integers(256))
        if rng.random() < 0.15:
            but["frames"] = int(rng.integers(0, 4))
        if rng.random() < 0.15:
            but["tables"] = False
        if rng.random() < 0.15:
            but["between"] = pick((segment(0xDC, bytes(2)), segment(0xDE, bytes(9)), segment(0xDD, bytes(2)), b"junk"))
    process = pick((0, 1)) if usual else int(rng.integers(16))
    precision = 8 if usual or rng.random() < 0.5 else pick(PRECISIONS)
    height, width = pick(small), pick(small)
    if 300_000 < height * width <= image.MAX_PIXELS:  # slow, and no different
        height = min(height, 8)
    return sequential(process, precision, height, width, factors, **but)

start, count = int(sys.argv[2]), int(sys.argv[3])
read = 0
for number in range(start, start + count):
    print(number, file=sys.stderr, flush=True)
    data = synthetic(np.random.default_rng(number))
    for at_least in (None, 1, 4, 30, 224):
        for side in ("shorter", "longer"):
            try:
                picture = image.read(data, at_least, side)
            except DataError as error:
                assert error.what
                continue
            read += 1
            whole = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
            assert whole.shape[:2] == (picture.height, picture.width)
            if at_least is None:
                assert picture.pixels.shape == whole.shape
            assert np.abs(picture.pixels.mean((0, 1)) - whole.mean((0, 1))).max() <= 2, number
print(json.dumps({"read": read, "decoded": len(beyond), "beyond": max(beyond, default=0)}))
"""


@pytest.mark.parametrize("start", [0, 10_000])
def test_no_frame_header_has_the_decoder_write_beyond_the_picture_or_end_the_process(start):
    """Every SOF, precision, number of components, sampling and size; what is decoded is what Pillow decodes."""
    script = [sys.executable, "-c", CHILD, HERE, str(start), "150"]
    paths = os.pathsep.join([str(Path(image.__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(script, capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONPATH": paths})
    assert done.returncode == 0, f"header {done.stderr.strip().splitlines()[-8:]}"
    seen = json.loads(done.stdout)
    assert seen["beyond"] == 0
    assert seen["read"] > 100 and seen["decoded"] > 100
