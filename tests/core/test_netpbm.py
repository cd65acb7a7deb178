"""PPM as text, and with another highest value than 255: the samples are those that Pillow would make of them."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ursa.core.decoding import image, netpbm
from ursa.core.decoding.color import to_rgb
from ursa.errors import DataError


def as_text(kind: str, values: np.ndarray, highest: int, comment: str = "") -> bytes:
    """values [h, w] or [h, w, 3]"""
    height, width = values.shape[:2]
    head = f"{kind}\n{width} {height}\n" + ("" if kind == "P1" else f"{highest}\n")
    rows = [comment + " ".join(map(str, row.reshape(-1))) for row in values]
    return (head + "\n".join(rows) + "\n").encode()


def as_bytes(kind: str, values: np.ndarray, highest: int) -> bytes:
    height, width = values.shape[:2]
    return f"{kind} {width} {height} {highest}\n".encode() + values.astype("u1" if highest < 256 else ">u2").tobytes()


def by_pillow(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as opened:
        return to_rgb(opened)


@given(
    st.sampled_from(["P2", "P3", "P5", "P6"]),
    st.sampled_from([1, 2, 3, 100, 127, 254, 255, 256, 1000, 1023, 4095, 65534, 65535]),
    st.integers(1, 12),
    st.integers(1, 12),
    st.integers(0, 2**32 - 1),
)
def test_samples_are_scaled_as_pillow_scales_them(kind, highest, height, width, seed):
    shape = (height, width, 3) if kind in ("P3", "P6") else (height, width)
    values = np.random.default_rng(seed).integers(0, highest + 1, shape)
    data = as_text(kind, values, highest) if kind in ("P2", "P3") else as_bytes(kind, values, highest)
    assert np.array_equal(image.read(data).pixels, by_pillow(data))


@pytest.mark.parametrize("comment", ["", "# a picture\n", "#\r", "   \n\t"])
def test_text_may_hold_comments_and_any_white_space(comment):
    values = np.random.default_rng(0).integers(0, 256, (9, 7))
    for kind, samples in (("P1", values % 2), ("P2", values), ("P3", values.repeat(3, 1).reshape(9, 7, 3))):
        data = as_text(kind, samples, 255, comment)
        assert np.array_equal(image.read(data).pixels, by_pillow(data))


def test_bits_need_no_space_between_them():
    data = b"P1 4 2 0110 1001"
    assert image.read(data).pixels[..., 0].tolist() == [[255, 0, 0, 255], [0, 255, 255, 0]]


@pytest.mark.parametrize("kind", ["P1", "P2", "P3", "P5", "P6"])
def test_too_few_samples_are_called_truncated(kind):
    values = np.ones((9, 7, 3) if kind in ("P3", "P6") else (9, 7), int)
    data = as_bytes(kind, values, 254) if kind in ("P5", "P6") else as_text(kind, values, 254)
    for end in (len(data) // 2, len(data) - 3):
        with pytest.raises(DataError, match=r"^truncated: the PPM file"):
            image.read(data[:end])


@pytest.mark.parametrize(
    "data", [b"P2 2 2 9\n1 2 3 x", b"P2 2 2 9\n1 2 -3 4", b"P2 2 2 9\n1 2 3 10", b"P1 2 2 0 1 0 2"]
)
def test_what_are_no_samples_is_unreadable(data):
    with pytest.raises(DataError, match=r"^unreadable: a damaged PPM file"):
        image.read(data)


def test_a_second_picture_behind_the_first_is_left_alone():
    """As in a PPM of several pictures."""
    data = as_text("P2", np.arange(6).reshape(2, 3), 9)
    assert np.array_equal(image.read(data + data).pixels, image.read(data).pixels)


def test_a_header_that_does_not_end_is_not_read_byte_by_byte():
    assert netpbm.has_header(b"P5 # short\n4 4 255\n")
    assert netpbm.has_header(b"P5 #" + b"x" * 60_000 + b"\n4 4 255\n" + bytes(100_000))
    with pytest.raises(DataError, match=r"^unreadable: a PPM file whose header"):
        image.read(b"P5 #" + b"x" * 100_000 + b"\n4 4 255\n" + bytes(16))
