"""Messages: what is packed comes out, and nothing a worker can send is believed beyond its bounds."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ursa.core.decoding.kinds import DECODERS
from ursa.core.prepare import FITS
from ursa.sandbox import protocol
from ursa.sandbox.protocol import Decoded, Request


@given(
    st.integers(0, protocol.ROOM_IN),
    st.floats(0.1, 100),
    st.none() | st.integers(1, 1 << 20),
    st.sampled_from(["shorter", "longer"]),
    st.integers(0, 4096),
    st.sampled_from(FITS),
    st.integers(0, 1),
)
def test_requests_come_out_as_they_went_in(length, seconds, at_least, side, size, fit, slot):
    request = Request(length, seconds, at_least, side, size, fit, slot)
    assert Request.unpack(request.pack()) == request


@given(st.integers(1, 9000), st.integers(1, 8000), st.sampled_from(DECODERS), st.integers(1, 1000))
def test_pictures_come_out_as_they_went_in(rows, columns, format, frames):
    found = Decoded(rows, columns, format, 10 * columns, 10 * rows, frames)
    assert protocol.unpack(protocol.pack_picture(found)) == found


@given(st.binary(min_size=protocol.REPLY_SIZE, max_size=protocol.REPLY_SIZE))
def test_any_reply_is_in_bounds_or_refused(message):
    try:
        found = protocol.unpack(message)
    except ValueError:
        return
    if isinstance(found, Decoded):
        assert 0 < 3 * found.rows * found.columns <= protocol.ROOM_OUT
        assert found.format in DECODERS
    elif found[0] == protocol.REFUSED:
        assert found[1] <= protocol.LARGEST_TEXT


@pytest.mark.parametrize(
    "numbers",
    [(0, 5), (5, 0), (-5, -5), (1 << 40, 1), (1 << 32, 1 << 32), (protocol.ROOM_OUT, 1)],
)
def test_pixels_outside_the_shared_memory_are_never_looked_at(numbers):
    with pytest.raises(ValueError, match="out of bounds"):
        protocol.unpack(protocol.pack_picture(Decoded(*numbers, "PNG", 1, 1, 1)))


def test_refusals():
    assert protocol.refusal(json.dumps(["what", None, "fix"]).encode()) == ("what", None, "fix")
    for nonsense in (b"", b"{}", b"[1, 2, 3]", b'["what"]', b"\xff", b"[" * 100_000):
        with pytest.raises((ValueError, RecursionError)):
            protocol.refusal(nonsense)
