"""Messages: what is packed comes out, and nothing a worker can send is believed beyond its bounds."""

import json
import socket
import threading

import pytest
from hypothesis import given, settings
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
    st.integers(0, protocol.SLOTS - 1),
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
        with pytest.raises(ValueError):
            protocol.refusal(nonsense)


@given(st.text(max_size=300), st.none() | st.text(max_size=300), st.none() | st.text(max_size=300))
def test_a_refusal_of_any_words_comes_out_as_it_went_in(what, found, fix):
    assert protocol.refusal(json.dumps([what, found, fix]).encode()) == (what, found, fix)


ANY = st.recursive(
    st.none() | st.integers() | st.sampled_from(["", "a"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=4,
)


@settings(max_examples=60)
@given(ANY)
def test_any_other_json_is_no_refusal_or_made_of_texts(document):
    try:
        parts = protocol.refusal(json.dumps(document).encode())
    except ValueError:
        return
    assert isinstance(parts[0], str) and all(part is None or isinstance(part, str) for part in parts)


@given(st.binary(max_size=60), st.integers(1, 20))
def test_a_message_is_received_whole_in_whatever_pieces_it_comes_and_short_only_at_the_end(data, size):
    one, other = socket.socketpair()
    with one, other:
        for byte in data:
            one.sendall(bytes([byte]))
        one.shutdown(socket.SHUT_WR)
        parts = [protocol.receive(other, size) for _ in range(len(data) // size + 1)]
    assert b"".join(parts) == data and all(len(part) == size for part in parts[:-1])


def test_of_a_message_that_comes_late_no_byte_of_the_next_one_is_taken():
    one, other = socket.socketpair()
    with one, other:
        other.settimeout(5)
        one.sendall(b"a")
        later = threading.Timer(0.05, one.sendall, (b"bcdefgh",))
        later.start()
        assert (protocol.receive(other, 4), protocol.receive(other, 4)) == (b"abcd", b"efgh")
        later.join()


def test_messages_are_of_one_size_and_go_is_none_that_a_caller_asks():
    asked = Request(0, 0.0).pack()
    assert len(asked) == len(protocol.GO) == protocol.REQUEST_SIZE and asked != protocol.GO
    replies = (protocol.pack_text(9), protocol.pack_needs(9), protocol.pack_picture(Decoded(1, 1, "PNG", 1, 1, 1)))
    assert {len(reply) for reply in replies} == {protocol.REPLY_SIZE} and len(set(replies)) == 3
    assert protocol.unpack(replies[0]) == (protocol.REFUSED, 9) and protocol.unpack(replies[1]) == (protocol.NEEDS, 9)


def test_the_largest_picture_fits_into_a_slot_and_slots_lie_apart():
    from ursa.core.decoding.image import MAX_PIXELS
    from ursa.core.picture_file import MAX_BYTES

    assert 3 * MAX_PIXELS <= protocol.ROOM_OUT and MAX_BYTES <= protocol.ROOM_IN
    assert protocol.SLOT == protocol.ROOM_IN + protocol.ROOM_OUT and protocol.ROOM == protocol.SLOTS * protocol.SLOT
    assert protocol.LARGEST_TEXT <= protocol.ROOM_OUT
