"""Inside a worker process: requests in, pictures or refusals out, one after the other, until the caller goes."""

import contextlib
import ctypes
import importlib
import json
import os
import platform
import signal
import socket
import sys
from collections import deque
from typing import NoReturn

import numpy as np
from PIL import Image, ImageCms

from ursa.core.decoding import image
from ursa.core.decoding.image import Picture, Pixels
from ursa.core.prepare import Preparation
from ursa.errors import DataError
from ursa.sandbox import protocol
from ursa.sandbox.lockdown import limit_time, lock_down
from ursa.sandbox.protocol import Decoded, Request
from ursa.sandbox.shared_memory import SharedMemory

HEAP = 16 << 20  # bytes that a worker's heap keeps between two pictures; what takes a quarter of it is mapped anew
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
ASKED_FROM = 64 << 20  # bytes of memory from which on decoding has to wait for the common budget


def load_decoders() -> None:
    """Import all that any picture may need: once locked down, a worker can open no file."""
    Image.init()
    ImageCms.createProfile("sRGB")
    for name in ("simplejpeg", "pi_heif.as_plugin", "PIL.AvifImagePlugin", "PIL.WebPImagePlugin", "encodings.idna"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    if (avif := sys.modules.get("PIL.AvifImagePlugin")) is not None:
        avif.DEFAULT_MAX_THREADS = 1  # type: ignore[attr-defined]
    if (heif := sys.modules.get("pi_heif")) is not None:
        heif.options.DECODE_THREADS = 1


def serve(connection: socket.socket, shared: SharedMemory, memory: int) -> NoReturn:
    """Answer requests until the caller has gone. memory: bytes of address space that it may take."""
    _keep_heap()
    rooms = [shared.room(slot) for slot in range(protocol.SLOTS)]
    messages = _Messages(connection)
    lock_down(memory)
    while message := messages.next():
        request = Request.unpack(message)
        limit_time(request.seconds)
        try:
            reply = _decode(messages, shared, rooms[request.slot], request)
        except DataError as problem:
            reply = _refuse(shared, request, problem)
        except MemoryError as problem:
            reply = _refuse(shared, request, DataError("too large: it does not fit into memory", found=problem))
        except Exception as problem:  # noqa: BLE001 - whatever it is, this picture is refused, and no other
            failed = f"unreadable: its decoder failed with {type(problem).__name__}"
            reply = _refuse(shared, request, DataError(failed, found=problem))
        connection.sendall(reply)
    os._exit(0)


def _keep_heap() -> None:
    """Memory of one picture is there for the next one, where the C library is glibc.

    It gives back what lies free after every picture, and the system has to fill it with zeros again: a view of 500 x
    400 px takes 2.8 ms then, for 2.2.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL(None)
    libc.mallopt(_M_MMAP_THRESHOLD, HEAP // 4)
    libc.mallopt(_M_TRIM_THRESHOLD, HEAP)


class _Messages:
    """What the caller says, one message after the other; b"" when it has gone."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._waiting: deque[bytes] = deque()

    def next(self) -> bytes:
        """The next request."""
        return self._waiting.popleft() if self._waiting else self._receive()

    def may_take(self, count: int) -> None:
        """Ask whether decoding may take so many bytes, and wait until it may; requests come in meanwhile."""
        if count <= ASKED_FROM:
            return
        self._connection.sendall(protocol.pack_needs(count))
        while (message := self._receive()) != protocol.GO:
            if not message:
                os._exit(0)
            self._waiting.append(message)

    def _receive(self) -> bytes:
        message = protocol.receive(self._connection, protocol.REQUEST_SIZE)
        return message if len(message) == protocol.REQUEST_SIZE else b""


def _decode(messages: _Messages, shared: SharedMemory, room: Pixels, request: Request) -> bytes:
    place = request.slot * protocol.SLOT
    data = shared.bytes[place : place + request.length]
    direct = None if request.size else room
    found = image.read(data, request.at_least, request.side, direct, messages.may_take)
    pixels = Preparation(request.size, request.fit).view(found.pixels) if request.size else found.pixels
    if pixels.base is not room:  # not decoded into its place
        np.copyto(room[: pixels.size].reshape(pixels.shape), pixels)
    return _packed(found, pixels.shape[0], pixels.shape[1])


def _refuse(shared: SharedMemory, request: Request, problem: DataError) -> bytes:
    parts = [None if part is None else part[:1000] for part in (problem.what, problem.found, problem.fix)]
    text = json.dumps(parts).encode()
    place = request.slot * protocol.SLOT + protocol.ROOM_IN
    shared.bytes[place : place + len(text)] = text
    return protocol.pack_text(len(text))


def _packed(found: Picture, rows: int, columns: int) -> bytes:
    about = (found.format, found.width, found.height, found.frames, found.orientation)
    return protocol.pack_picture(Decoded(rows, columns, *about))


def quiet_signals() -> None:
    """Ctrl-C in a terminal goes to all of its processes; these end when their caller does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
