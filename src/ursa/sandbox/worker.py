"""Inside a worker process: requests in, pictures or refusals out, one after the other, until the caller goes."""

import contextlib
import importlib
import json
import os
import signal
import socket
import sys
from typing import NoReturn

import numpy as np
from PIL import Image, ImageCms

from ursa.core import image
from ursa.core.image import Picture
from ursa.core.prepare import Preparation
from ursa.errors import DataError
from ursa.sandbox import protocol
from ursa.sandbox.lockdown import limit_time, lock_down
from ursa.sandbox.memory import SharedMemory
from ursa.sandbox.protocol import Decoded, Request

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
    lock_down(memory)
    while len(message := protocol.receive(connection, protocol.REQUEST_SIZE)) == protocol.REQUEST_SIZE:
        request = Request.unpack(message)
        limit_time(request.seconds)
        try:
            reply = _decode(connection, shared, request)
        except DataError as problem:
            reply = _refuse(shared, request, problem)
        except MemoryError as problem:
            reply = _refuse(shared, request, DataError("too large: it does not fit into memory", found=problem))
        except Exception as problem:  # noqa: BLE001 - whatever it is, this picture is refused, and no other
            failed = f"unreadable: its decoder failed with {type(problem).__name__}"
            reply = _refuse(shared, request, DataError(failed, found=problem))
        connection.sendall(reply)
    os._exit(0)


def _decode(connection: socket.socket, shared: SharedMemory, request: Request) -> bytes:
    place = request.slot * protocol.SLOT
    data = shared.bytes[place : place + request.length]
    if (needed := image.memory_needed(data, request.at_least, request.side)) > ASKED_FROM:
        connection.sendall(protocol.pack_needs(needed))
        if protocol.receive(connection, 1) != protocol.GO:
            os._exit(0)
    room = np.frombuffer(shared.bytes, np.uint8, protocol.ROOM_OUT, place + protocol.ROOM_IN)
    if request.size:
        found = image.read(data, request.at_least, request.side)
        pixels = Preparation(request.size, request.fit).view(found.pixels)
    else:
        found = image.read(data, request.at_least, request.side, room)
        pixels = found.pixels
    if pixels.ctypes.data != room.ctypes.data:  # not decoded into its place
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
