"""Inside a worker, without the process around it: a request in shared memory -> a reply, and pixels in their place."""

import socket
import threading

import numpy as np
import pytest

from ursa.core.prepare import Preparation
from ursa.errors import DataError
from ursa.sandbox import protocol
from ursa.sandbox.protocol import Decoded, Request
from ursa.sandbox.shared_memory import SharedMemory
from ursa.sandbox.worker import ASKED_FROM, _decode, _Messages, _refuse

os = pytest.importorskip("os")
pytestmark = pytest.mark.skipif(os.name != "posix", reason="memory is shared by what POSIX offers")


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    ours.settimeout(10)
    theirs.settimeout(10)
    with ours, theirs:
        yield ours, theirs


@pytest.fixture
def memory():
    made = SharedMemory.create()
    yield made
    made.close()


def decoded(memory, pair, data, slot=0, **options):
    place = slot * protocol.SLOT
    memory.bytes[place : place + len(data)] = data
    request = Request(len(data), 10.0, slot=slot, **options)
    return protocol.unpack(_decode(_Messages(pair[1]), memory, memory.room(slot), request))


@pytest.mark.parametrize("slot", range(protocol.SLOTS))
@pytest.mark.parametrize("format", ["JPEG", "PNG"])  # decoded into its place, and put there afterwards
def test_the_pixels_of_a_file_lie_in_its_slot_and_in_no_other(memory, pair, photo, encode, slot, format):
    from ursa.core.decoding import image

    data = encode(photo(slot, 60, 40), format)
    found = decoded(memory, pair, data, slot)
    assert found == Decoded(40, 60, format, 60, 40, 1)
    np.testing.assert_array_equal(memory.pixels(slot, 40, 60), image.read(data).pixels)
    others = [other for other in range(protocol.SLOTS) if other != slot]
    assert not any(memory.room(other)[: 3 * 60 * 40].any() for other in others)


@pytest.mark.parametrize("fit", ["pad", "squash", "crop"])
def test_with_a_size_the_view_lies_there(memory, pair, photo, encode, fit):
    data, view = encode(photo(2, 60, 40), "PNG"), Preparation(24, fit)
    found = decoded(memory, pair, data, at_least=24, side=view.side, size=24, fit=fit)
    assert (found.rows, found.columns, found.width, found.height) == (24, 24, 60, 40)
    np.testing.assert_array_equal(memory.pixels(0, 24, 24), view.view(photo(2, 60, 40)))


@pytest.mark.parametrize("problem", [DataError("ä 犬\n", found=None, fix="x"), DataError("w" * 5000, found="f" * 5000)])
def test_a_refusal_is_read_back_cut_to_a_thousand_letters(memory, problem):
    kind, length = protocol.unpack(_refuse(memory, Request(0, 1.0, slot=2), problem))
    assert kind == protocol.REFUSED and length <= protocol.LARGEST_TEXT
    place = 2 * protocol.SLOT + protocol.ROOM_IN
    what, found, fix = protocol.refusal(memory.bytes[place : place + length])
    assert what == problem.what[:1000] and fix == problem.fix
    assert found == (problem.found and problem.found[:1000])


def test_little_memory_is_not_asked_for(pair):
    _Messages(pair[1]).may_take(ASKED_FROM)
    pair[1].close()
    assert pair[0].recv(1) == b""


def test_requests_that_come_before_the_answer_are_kept_in_their_order(pair):
    ours, theirs = pair
    messages = _Messages(theirs)
    later = [Request(number, 1.0).pack() for number in range(3)]
    thread = threading.Thread(target=messages.may_take, args=(ASKED_FROM + 1,))
    thread.start()
    assert protocol.unpack(protocol.receive(ours, protocol.REPLY_SIZE)) == (protocol.NEEDS, ASKED_FROM + 1)
    ours.sendall(later[0] + later[1] + protocol.GO + later[2])
    thread.join(5)
    assert not thread.is_alive()
    assert [messages.next() for _ in range(3)] == later
    ours.close()
    assert messages.next() == b""


def test_half_a_request_is_none(pair):
    pair[0].sendall(Request(1, 1.0).pack()[:-1])
    pair[0].shutdown(socket.SHUT_WR)
    assert _Messages(pair[1]).next() == b""
