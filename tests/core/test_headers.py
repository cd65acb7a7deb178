"""What files say of themselves before they are decoded. Every walk ends, whatever the bytes."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ursa.core.decoding import headers, image


@pytest.fixture(scope="module")
def animation(photo, encode):
    """animation(format, frames) -> bytes."""

    def of(format: str, frames: int) -> bytes:
        pictures = [Image.fromarray(photo(seed, 40, 30)) for seed in range(frames)]
        return encode(pictures[0], format, save_all=True, append_images=pictures[1:])

    return of


@pytest.mark.parametrize("format", ["GIF", "TIFF", "WEBP", "PNG", "AVIF"])
@pytest.mark.parametrize("frames", [1, 2, 7])
def test_frames_are_counted(animation, format, frames):
    assert image.read(animation(format, frames)).frames == frames


def test_formats_of_one_picture_have_one_frame(encode, photo):
    for format in ("JPEG", "BMP", "PPM", "ICO", "JPEG2000", "MPO"):
        assert image.read(encode(photo(1, 48, 48), format)).frames == 1


def test_a_later_frame_that_is_broken_or_missing_leaves_the_first_as_it_is(animation, encode, photo):
    for format in ("GIF", "TIFF"):
        whole = animation(format, 5)
        alone = image.read(animation(format, 1)).pixels
        for end in (len(whole) - 1, len(whole) * 3 // 4, len(whole) // 2):
            broken = whole[:end] + b"\xff" * 40
            if format == "TIFF" and int.from_bytes(whole[4:8], "little") > end:
                continue
            picture = image.read(broken)
            assert np.array_equal(picture.pixels, alone)
            assert 1 <= picture.frames <= 5


def test_small_versions_of_a_page_are_no_pages(encode, photo):
    thumbnail = Image.fromarray(photo(1, 10, 10))
    thumbnail.encoderinfo = {"tiffinfo": {headers.SUBFILE_TYPE: 1}}
    data = encode(photo(1, 40, 30), "TIFF", save_all=True, append_images=[thumbnail])
    assert len(list(headers.directories(data))) == 2
    assert image.read(data).frames == 1


def chained(count: int, last: int) -> bytes:
    """A TIFF of `count` nearly empty directories; the last one points to the directory of that number."""
    places = [8 + 18 * number for number in range(count)]
    following = [*places[1:], places[last]]
    entry = struct.pack("<HHHII", 1, 256, 4, 1, 1)
    return b"II*\0\x08\0\0\0" + b"".join(entry + struct.pack("<I", place) for place in following)


def test_directories_that_point_back_at_each_other_are_walked_once():
    assert len(list(headers.directories(chained(3, 0)))) == 3
    assert len(list(headers.directories(chained(5, 4)))) == 5


def test_no_more_pages_or_frames_are_counted_than_anybody_would_want_to_know():
    assert headers.frames(chained(5000, 0), "TIFF") == headers.WALK
    frame = b",\0\0\0\0\1\0\1\0\0\2\1\0\0"
    assert headers.frames(b"GIF89a\1\0\1\0\0\0\0" + frame * 5000 + b";", "GIF") == headers.WALK


def test_a_long_animation_is_counted_in_one_walk():
    """20 MB of sub-blocks. A walk that starts again at each frame would run into the limit of all tests."""
    frame = b",\0\0\0\0\1\0\1\0\0\2" + (b"\xff" + bytes(255)) * 400 + b"\0"
    assert headers.frames(b"GIF89a\1\0\1\0\0\0\0" + frame * 200 + b";", "GIF") == 200


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_directories_are_read_in_either_order_and_width(order, big):
    start = (b"II" if order == "<" else b"MM") + struct.pack(order + "H", 43 if big else 42)
    if big:
        start += struct.pack(order + "HHQ", 8, 0, 16)
        body = struct.pack(order + "QHHQHHHHQ", 1, headers.BITS, 3, 3, 8, 9, 10, 0, 0)
    else:
        start += struct.pack(order + "I", 8)
        body = struct.pack(order + "HHHII", 1, headers.BITS, 3, 3, 26) + bytes(4) + struct.pack(order + "HHH", 8, 9, 10)
    (found,) = headers.directories(start + body)
    assert found == {headers.BITS: (8, 9, 10)}


@given(st.sampled_from(["GIF", "TIFF", "WEBP", "AVIF", "HEIC", "ICO", "JPEG"]), st.binary(max_size=300))
def test_any_bytes_have_some_size_and_some_frames(kind, data):
    beginnings = {"GIF": b"GIF89a", "TIFF": b"II*\0\x08\0\0\0", "ICO": b"\0\0\1\0", "AVIF": b"\0\0\0\x14ispe"}
    data = beginnings.get(kind, b"") + data
    width, height = headers.size(data, kind)
    assert width >= 0 and height >= 0
    assert (headers.frames(data, kind) or 1) >= 1
    if kind == "TIFF":
        assert headers.is_raw(data) in (True, False)
        assert headers.rare_compression(data) is None or headers.rare_compression(data)
