"""A caller and a worker that was taken over: whatever it answers ends the worker at most, and the next one is fresh."""

import json
import os
import socket
import threading

import pytest

from ursa.core import picture_file
from ursa.errors import DataError
from ursa.sandbox import client as client_file
from ursa.sandbox import protocol
from ursa.sandbox.client import Client, EndedError
from ursa.sandbox.process import ForkServer, Started
from ursa.sandbox.protocol import Decoded, Request
from ursa.sandbox.shared_memory import MemoryBudget, SharedMemory

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="workers are forked")

NOBODY = 2**22 + 1  # no process has this number: more than pid_max allows
PICTURE = protocol.pack_picture(Decoded(2, 2, "PNG", 2, 2, 1))


@pytest.fixture(scope="module")
def server():
    made = ForkServer(1 << 30)
    yield made
    made.close()


@pytest.fixture
def hostile(server):
    """hostile([reply, ...], text) -> a client whose worker is this thread: it answers so and lies about its memory."""
    started = []

    def made(replies, text=b"", wall=5.0):
        ours, theirs = socket.socketpair()
        shared = SharedMemory.create()
        shared.bytes[protocol.ROOM_IN : protocol.ROOM_IN + len(text)] = text

        def act() -> None:
            with theirs:
                for reply in replies:
                    if not protocol.receive(theirs, protocol.REQUEST_SIZE):
                        return
                    if reply is None:  # says nothing
                        theirs.recv(1)
                        return
                    theirs.sendall(reply)

        thread = threading.Thread(target=act)
        thread.start()
        found = Client(Started(ours, shared, NOBODY), server, MemoryBudget(1 << 30), wall)
        started.append((found, thread))
        return found

    yield made
    for found, thread in started:
        found.end()
        thread.join(5)
        assert not thread.is_alive()


def asked(client, data=b"x"):
    request = Request(len(data), 1.0)
    client.send(data, request)
    return client.receive(request)


def refusal(*parts):
    text = json.dumps(parts).encode()
    return protocol.pack_text(len(text)), text


def test_a_picture_and_a_refusal_are_answers_and_leave_the_worker_sound(hostile):
    reply, text = refusal("too dark", None, "light")
    client = hostile([PICTURE, reply], text)
    assert asked(client) == protocol.unpack(PICTURE) and client.sound
    with pytest.raises(DataError) as problem:
        asked(client)
    assert (problem.value.what, problem.value.found, problem.value.fix) == ("too dark", None, "light")
    assert client.sound


DEEP = b"[" * (protocol.LARGEST_TEXT - 1)


@pytest.mark.parametrize(
    ("replies", "text"),
    [
        ([bytes(protocol.REPLY_SIZE)], b""),
        ([b"\xff" * protocol.REPLY_SIZE], b""),
        ([PICTURE[:5]], b""),
        ([b""], b""),
        ([protocol.pack_text(4)], b"{}[]"),
        ([protocol.pack_text(len(DEEP))], DEEP),
        ([protocol.pack_text(protocol.LARGEST_TEXT + 1)], b""),
        ([protocol.pack_needs(11), protocol.pack_needs(11)], b'["a", 0, 0]'),
        ([protocol.pack_needs(5), b""], b""),
        ([protocol.pack_picture(Decoded(1 << 20, 1 << 20, "PNG", 1, 1, 1))], b""),
    ],
    ids=["zeros", "ones", "half", "gone", "no refusal", "nested", "long", "asks twice", "gone after", "huge"],
)
def test_an_answer_that_is_none_ends_the_worker_and_nothing_else(hostile, replies, text):
    client = hostile(replies, text)
    with pytest.raises(EndedError) as ended:
        asked(client)
    assert ended.value.refusal.what.startswith("crashes its decoder: the process ended")
    assert not ended.value.too_long and client.lost and not client.sound


def test_a_worker_that_says_nothing_is_ended_by_the_clock(hostile):
    client = hostile([None], wall=0.1)
    with pytest.raises(EndedError) as ended:
        asked(client)
    assert ended.value.too_long and ended.value.refusal.what == "takes too long: decoding took over 0.1 s"
    assert "save it again" in ended.value.refusal.fix


def test_what_comes_after_goes_to_a_real_worker(hostile, photo, encode):
    client = hostile([b""])
    with pytest.raises(EndedError):
        asked(client)
    first, data = client.worker, encode(photo(1, 30, 20), "PNG")
    found = asked(client, data)
    assert (found.rows, found.columns) == (20, 30) and client.worker is not first and client.sound
    assert client.worker.process != NOBODY and client.pixels(found, 0).shape == (20, 30, 3)


def test_memory_that_is_asked_for_is_held_until_the_answer(hostile):
    client = hostile([protocol.pack_needs(1000), PICTURE])
    held = []
    hold = client.budget.hold
    client.budget.hold = lambda count: held.append(count) or hold(count)
    assert asked(client).rows == 2
    assert held == [1000] and client.budget._used == 0 and client.sound


def test_a_worker_that_took_much_is_not_lent_again(hostile):
    client = hostile([protocol.pack_needs(client_file.HEAVY + 1), PICTURE])
    asked(client)
    assert not client.sound


def test_an_answer_that_is_still_to_come_keeps_the_worker_with_its_caller(hostile):
    client = hostile([PICTURE, PICTURE])
    for _ in range(2):
        client.send(b"x", Request(1, 1.0))
    client.receive(Request(1, 1.0))
    assert not client.sound
    client.receive(Request(1, 1.0))
    assert client.sound


def test_a_file_that_is_too_large_is_refused_unsent(hostile, monkeypatch):
    client = hostile([])
    monkeypatch.setattr(picture_file, "MAX_BYTES", 3)
    with pytest.raises(DataError, match="a file of 4 bytes, the limit is 3"):
        client.send(b"1234", Request(4, 1.0))
    assert client.sound and client.worker.shared.bytes[:4] == bytes(4)
