"""Colours: profiles are obeyed where they change anything, deep values are scaled by what they can be."""

import struct
import threading

import numpy as np
import pytest
from PIL import Image, ImageCms

from ursa.core.decoding import image

PRIMARIES = {"red": (0.4360, 0.2225, 0.0139), "green": (0.3851, 0.7169, 0.0971), "blue": (0.1431, 0.0606, 0.7141)}
WHITE = (0.9642, 1.0, 0.8249)  # D50


def profile(space: bytes, tags: dict[bytes, bytes], pcs: bytes = b"XYZ ") -> bytes:
    """An ICC profile of version 2 with these tags (ICC.1:2001-04, 6)."""
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += name + struct.pack(">II", 132 + 12 * len(tags) + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    white = b"".join(struct.pack(">i", round(v * 65536)) for v in WHITE)
    head = bytes(4) + b"\x02\x10\0\0" + (b"prtr" if space == b"CMYK" else b"mntr") + space + pcs
    header = struct.pack(">I", 128 + len(table) + len(body)) + head.ljust(32, b"\0") + b"acsp" + bytes(28) + white
    return header.ljust(128, b"\0") + table + body


def xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(v * 65536)) for v in values)


def gamma(value: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256)) + bytes(2)


def primaries(red: str, green: str, blue: str, exponent: float = 2.2) -> bytes:
    """A profile in which, say, the first of three numbers stands for green."""
    tags = {b"wtpt": xyz(WHITE)}
    for letter, color in zip(b"rgb", (red, green, blue), strict=True):
        tags[bytes([letter]) + b"XYZ"] = xyz(PRIMARIES[color])
        tags[bytes([letter]) + b"TRC"] = gamma(exponent)
    return profile(b"RGB ", tags)


SWAPPED = primaries("green", "red", "blue")  # what is stored as red is to be seen as green
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def seen(data: bytes, at_least: int | None = None) -> list[int]:
    pixels = image.read(data, at_least).pixels
    return pixels[pixels.shape[0] // 2, pixels.shape[1] // 2].astype(int).tolist()


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("at_least", [None, 16])
def test_an_embedded_profile_is_obeyed(encode, format, at_least):
    red = Image.new("RGB", (96, 64), (255, 0, 0))
    assert np.abs(np.array(seen(encode(red, format), at_least)) - [255, 0, 0]).max() <= 3
    assert np.abs(np.array(seen(encode(red, format, icc_profile=SWAPPED), at_least)) - [0, 255, 0]).max() <= 3


def test_it_is_obeyed_for_palettes_and_under_transparency_too(encode):
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    assert seen(encode(palette, "PNG", icc_profile=SWAPPED)) == [0, 255, 0]
    half = Image.new("RGBA", (8, 8), (255, 0, 0, 51))
    assert seen(encode(half, "PNG", icc_profile=SWAPPED)) == [204, 255, 204]


@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_a_gray_profile_is_obeyed(encode, format):
    linear = profile(b"GRAY", {b"wtpt": xyz(WHITE), b"kTRC": gamma(1.0)})
    gray = Image.new("L", (32, 32), 55)  # 0.216 of the light
    assert np.abs(np.array(seen(encode(gray, format, icc_profile=linear))) - 128).max() <= 2
    assert seen(encode(gray, format)) == [55, 55, 55]


def test_a_profile_of_inks_is_obeyed_and_without_one_inks_simply_take_light_away(encode):
    """A table of 2^4 nodes, L*a*b* for each mixture: full black ink is white here, and all else black."""
    identity = bytes(range(256))
    nodes = b"".join(bytes([255 if node & 1 else 0, 128, 128]) for node in range(16))
    unit = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table = b"mft1\0\0\0\0\x04\x03\x02\0" + unit + identity * 4 + nodes + identity * 3
    inks = profile(b"CMYK", {b"wtpt": xyz(WHITE), b"A2B0": table, b"A2B1": table}, b"Lab ")
    black = Image.new("CMYK", (32, 32), (0, 0, 0, 255))
    assert seen(encode(black, "TIFF")) == [0, 0, 0]
    for format in ("TIFF", "JPEG"):
        assert min(seen(encode(black, format, icc_profile=inks))) >= 250


@pytest.mark.parametrize("said", [SRGB, b"", b"nonsense", SWAPPED[:200], SWAPPED[:16] + b"CMYK" + SWAPPED[20:]])
@pytest.mark.parametrize("format", ["JPEG", "PNG"])
def test_a_profile_that_is_srgb_or_broken_or_of_other_colors_changes_nothing(encode, photo, format, said):
    pixels = photo(1, 64, 48)
    assert np.array_equal(
        image.read(encode(pixels, format, icc_profile=said)).pixels, image.read(encode(pixels, format)).pixels
    )


def test_many_threads_share_a_profile(encode, photo):
    data = encode(photo(1, 400, 300), "PNG", icc_profile=SWAPPED)
    alone, found = image.read(data).pixels, []
    threads = [threading.Thread(target=lambda: found.append(image.read(data).pixels)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8 and all(np.array_equal(alone, pixels) for pixels in found)


# --- deep values ---------------------------------------------------------------------------------------------------


def deep(encode, brightest: int, format: str = "PNG", **options) -> int:
    """What the brightest value of a 16-bit picture comes out as."""
    ramp = np.linspace(0, brightest, 64).astype(np.uint16)[None].repeat(4, 0)
    return int(image.read(encode(Image.fromarray(ramp), format, **options)).pixels[0, -1, 0])


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
@pytest.mark.parametrize(
    ("brightest", "expected"),
    [(65535, 255), (40000, 156), (16383, 255), (4095, 255), (4000, 249), (1023, 255), (255, 255), (7, 7)],
)
def test_sixteen_bits_are_scaled_by_the_least_depth_of_a_sensor_that_holds_them(encode, format, brightest, expected):
    assert deep(encode, brightest, format) == expected


def test_a_full_scale_that_the_file_declares_comes_first(encode):
    for tag in (281, 341):
        assert deep(encode, 4000, "TIFF", tiffinfo={tag: 65535}) == 16
    assert deep(encode, 500, "TIFF", tiffinfo={341: 4095}) == 31
    assert deep(encode, 5000, "TIFF", tiffinfo={341: 4095}) == 78  # it is exceeded, so it is not true


@pytest.mark.parametrize(
    ("darkest", "brightest", "expected"), [(0.25, 0.5, (64, 128)), (0.0, 1.0, (0, 255)), (5, 9, (0, 255))]
)
def test_floats_from_0_to_1_are_shares_of_white_and_others_go_by_their_own_range(encode, darkest, brightest, expected):
    ramp = np.linspace(darkest, brightest, 64, dtype=np.float32)[None].repeat(4, 0)
    pixels = image.read(encode(Image.fromarray(ramp), "TIFF")).pixels
    assert (pixels[0, 0, 0], pixels[0, -1, 0]) == expected


def test_a_float_that_is_no_number_does_not_stretch_the_others(encode):
    values = np.linspace(100, 200, 64, dtype=np.float32).reshape(8, 8)
    values[0, 0] = np.nan
    values[0, 1] = -np.inf
    pixels = image.read(encode(Image.fromarray(values), "TIFF")).pixels
    assert pixels[0, 2, 0] < 12 and pixels[7, 7, 0] == 255 and pixels[0, 0, 0] == 0


def test_the_gray_that_a_deep_png_declares_transparent_is_white(encode):
    values = np.full((8, 8), 1000, np.uint16)
    values[:4] = 300
    pixels = image.read(encode(Image.fromarray(values), "PNG", transparency=300)).pixels
    assert pixels[0, 0].tolist() == [255, 255, 255] and pixels[7, 7].tolist() == [249, 249, 249]


def test_a_picture_taller_than_a_band_is_scaled_everywhere(encode):
    column = np.linspace(0, 65535, 1000).astype(np.uint16)[:, None].repeat(3, 1)
    pixels = image.read(encode(Image.fromarray(column))).pixels[:, 0, 0].astype(int)
    assert np.abs(pixels - np.linspace(0, 255, 1000)).max() <= 1
