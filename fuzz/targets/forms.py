"""Bodies of requests through the server: multipart, raw, cut into chunks. A case: content type, a newline, the body."""

from functools import cache
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from fuzz import tiny
from fuzz.asgi import asked
from fuzz.mutate import mutated
from fuzz.pictures import pictures
from fuzz.target import Target
from fuzz.targets.bundles import checked
from fuzz.values import blob, bytes_changed, rearranged
from ursa.errors import DataError

if TYPE_CHECKING:
    from starlette.applications import Starlette

TYPES = (b"image/jpeg", b"application/octet-stream", b"text/plain", b"application/json", b"multipart/mixed; boundary=x")
BOUNDARIES = (b"x", b"----b0undary", b"-", b"a" * 70, b"a" * 300, b"\xff", b'"', b"", b"x\r\n", b"x; boundary=y", b"\0")
HEADERS = (
    b'Content-Disposition: form-data; name="picture"; filename="a.jpg"',
    b'Content-Disposition: form-data; name="file"; filename="\xff\xfe\x1b[31m"',
    b'Content-Disposition: form-data; name="other"',
    b"Content-Disposition: form-data; name=\"picture\"; filename*=utf-8''%ff%00",
    b'Content-Disposition: form-data; name="picture"; filename="',
    b"Content-Disposition: form-data",
    b"Content-Disposition: ;;;===",
    b"Content-Type: image/jpeg",
    b"Content-Transfer-Encoding: base64",
    b"Content-Transfer-Encoding: quoted-printable",
    b"Content-Transfer-Encoding: strange",
    b"Content-Length: -1",
    b"X: " + b"x" * 20000,
    b": no name",
    b"no colon",
)


def case(rng: Random) -> bytes:
    """A form with right and wrong parts in it, or something else in its place."""
    if rng.random() < 0.12:
        return rng.choice(TYPES) + b"\n" + _picture(rng)
    boundary = rng.choice(BOUNDARIES[:3] if rng.random() < 0.7 else BOUNDARIES)
    announced = boundary if rng.random() < 0.95 else rng.choice(BOUNDARIES)
    parts = [_part(rng) for _ in range(rng.choice((0, 1, 1, 1, 2, 3, 80)))]
    if rng.random() < 0.2:
        parts = rearranged(parts, rng, lambda: _part(rng))
    end = rng.choice((b"\r\n", b"\r\n", b"\r\n", b"\n"))
    body = b"".join(b"--" + boundary + end + part + end for part in parts) + b"--" + boundary + b"--" + end
    if rng.random() < 0.5:
        body = bytes_changed(body, rng)
    return b"multipart/form-data; boundary=" + announced.replace(b"\n", b" ") + b"\n" + body


def _part(rng: Random) -> bytes:
    lines = [HEADERS[0]] if rng.random() < 0.7 else [rng.choice(HEADERS) for _ in range(rng.choice((0, 1, 2, 5)))]
    return b"\r\n".join(lines) + b"\r\n\r\n" + _picture(rng)


def _picture(rng: Random) -> bytes:
    roll = rng.random()
    if roll < 0.5:
        return rng.choice(pictures())[1]
    return mutated(rng.choice(pictures())[1], rng) if roll < 0.8 else blob(rng, 200)


@cache
def _application() -> "Starlette":
    from ursa.serve.app import app
    from ursa.serve.limits import ServerLimits
    from ursa.serve.predictor import Predictor

    file = Path("tiny.ursa")
    file.write_bytes(tiny.bundle())
    return app(Predictor(file), limits=ServerLimits(cores=1, max_bytes=1 << 20))


def run(data: bytes) -> None:
    """Post it whole, or in chunks whose size follows from the data."""
    kind, _, body = data.partition(b"\n")
    step = (len(body), 1 << 16, 100, 7)[len(body) % 4]
    step = max(step, len(body) // 2000, 1)  # more chunks are refused before the app (serve/protocol.py)
    chunks = [body[at : at + step] for at in range(0, len(body), step)] or [b""]
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
    answer = asked(_application(), "POST", "/predict", headers, chunks)
    checked(answer)
    if answer.status >= 400:
        raise DataError(f"refused with status {answer.status}")


@cache
def warm() -> None:
    """One sound picture."""
    run(b"image/jpeg\n" + pictures()[0][1])


TARGETS = (Target("forms", case, run, warm, weight=3),)
