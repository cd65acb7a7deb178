"""The web app: a picture is posted, JSON comes back.

    GET  /           the page: drop, choose, paste or photograph pictures
    POST /predict    multipart with files in the field `picture` (or `file`), or one picture as the raw body
    GET  /health     classes, model, limits

Pictures live in memory while they are looked at, and nowhere else: nothing is written to disk, kept or logged.
Errors are `{"error", "found", "fix"}` with the right status.
"""

import asyncio
import base64
import hashlib
import html
import logging
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, FormParser, parse_options_header
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ursa.core.image import Pixels
from ursa.core.threads import cores as usable_cores
from ursa.errors import DataError, UrsaError
from ursa.serve.predictor import Prediction, Predictor

logger = logging.getLogger("ursa.serve")

FIELDS = ("picture", "file")  # names under which a form may send pictures
RAW = ("image/", "application/octet-stream")
HOW = "send a picture: curl -F picture=@photo.jpg http://HOST/predict"


@dataclass(frozen=True)
class Limits:
    """What one request, and all of them together, may ask for.

    Memory for what was sent stays below 2 * max_bytes * (cores + waiting); what is decoded takes up to 240 MB and its
    working copies in each of the cores (`image.MAX_PIXELS`).
    """

    max_bytes: int  # of one request
    max_pictures: int  # in one request
    cores: int  # requests worked on at once
    waiting: int  # requests that may be received or wait meanwhile; the next one is answered 503
    patience: float  # seconds without a byte, after which a sender is given up


def app(
    predictor: Predictor,
    *,
    title: str | None = None,
    max_bytes: int = 20_000_000,
    max_pictures: int = 64,
    cores: int | None = None,
    waiting: int = 24,
    patience: float = 30.0,
) -> Starlette:
    """The application that shows and answers what this predictor says. The limits: see `Limits`."""
    limits = Limits(max_bytes, max_pictures, cores or usable_cores(), waiting, patience)
    page = _page(title or "What is in the picture?")
    service = _Service(predictor, limits)

    async def show(_: Request) -> Response:
        return HTMLResponse(page)

    return Starlette(
        routes=[
            Route("/", show),
            Route("/predict", service.predict, methods=["POST"]),
            Route("/health", service.health),
        ],
        middleware=[Middleware(_Shield, headers=_security(page))],
        exception_handlers={HTTPException: _unroutable, _RefusedError: _refusal},
    )


class _RefusedError(Exception):
    """A request that is not answered as asked: the status and what to say."""

    def __init__(self, status: int, error: UrsaError, **headers: str) -> None:
        super().__init__(error.what)
        self.status, self.error, self.headers = status, error, headers


@dataclass(frozen=True)
class _Upload:
    name: str
    data: bytes


class _Service:
    """The endpoints that need the model, and the desk where requests queue for it."""

    def __init__(self, predictor: Predictor, limits: Limits) -> None:
        self.predictor, self.limits = predictor, limits
        self.pool = ThreadPoolExecutor(limits.cores, thread_name_prefix="ursa-predict")
        self.taken = 0  # requests between their first byte and their answer

    async def health(self, _: Request) -> Response:
        """What is being served; the page builds itself from it."""
        document = self.predictor.bundle.document
        model = {
            "name": _inside(document, "training", "backbone"),
            "version": _inside(document, "versions", "ursa"),
            "created": _inside(document, "created"),
            "accuracy": _inside(document, "metrics", "accuracy"),
            "sha256": _inside(document, "sha256"),
        }
        limits = {"max_bytes": self.limits.max_bytes, "max_pictures": self.limits.max_pictures}
        names = list(self.predictor.labels.names)
        return JSONResponse({"status": "ok", "classes": names, "model": model, "limits": limits})

    async def predict(self, request: Request) -> Response:
        """One picture -> its prediction; several -> a list, in their order."""
        with self._place():
            try:
                uploads = await _uploads(request, self.limits)
            except ClientDisconnect:
                return Response(status_code=400)  # nobody is there to read it
            loop = asyncio.get_running_loop()
            answers = await loop.run_in_executor(self.pool, _look, self.predictor, uploads)
        if len(answers) == 1 and isinstance(answers[0], DataError):
            raise _RefusedError(422, answers[0])
        documents = [_document(upload, answer) for upload, answer in zip(uploads, answers, strict=True)]
        return JSONResponse(documents[0] if len(documents) == 1 else documents)

    @contextmanager
    def _place(self) -> Iterator[None]:
        """A place in the house, or 503. Only the event loop's thread comes here, so counting needs no lock."""
        if self.taken >= self.limits.cores + self.limits.waiting:
            busy = DataError(
                "busy: too many pictures are waiting", found=f"{self.taken} requests", fix="try again soon"
            )
            raise _RefusedError(503, busy, **{"retry-after": "2"})
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1


def _look(predictor: Predictor, uploads: Sequence[_Upload]) -> list[Prediction | DataError]:
    """Runs in a worker thread: decode, prepare and predict; for a broken picture, what is wrong with it."""
    views: dict[int, Pixels] = {}
    problems: dict[int, DataError] = {}
    for i, upload in enumerate(uploads):
        try:
            views[i] = predictor.view(upload.data)
        except DataError as problem:
            problem.fix = problem.fix or "send the original picture, or save it again as JPEG or PNG"
            problems[i] = problem
    predictions = predictor.predictions(list(views.values())) if views else []
    found = dict(zip(views, predictions, strict=True))
    return [problems[i] if i in problems else found[i] for i in range(len(uploads))]


def _document(upload: _Upload, answer: Prediction | DataError) -> dict[str, Any]:
    if isinstance(answer, DataError):
        return {"picture": upload.name, "problem": answer.what}
    return {"picture": upload.name, **answer.to_json()}


async def _uploads(request: Request, limits: Limits) -> list[_Upload]:
    """The pictures of a request, at least one; refused as soon as it is too large, too long or of another kind."""
    kind, options = parse_options_header(request.headers.get("content-type"))
    name = kind.decode("latin-1")
    if name == "multipart/form-data":
        uploads = await _from_form(request, options.get(b"boundary", b""), limits)
    elif name.startswith(RAW):
        body = bytearray()
        await _receive(request, limits, body.extend)
        uploads = [_Upload("picture", bytes(body))] if body else []
    elif name or request.headers.get("content-length", "0") != "0":
        error = DataError("pictures cannot be read from this content type", found=name or "none", fix=HOW)
        raise _RefusedError(415, error)
    else:
        uploads = []
    if not uploads:
        raise _RefusedError(400, DataError("no picture was sent", fix=HOW))
    return uploads


async def _from_form(request: Request, boundary: bytes, limits: Limits) -> list[_Upload]:
    uploads: list[_Upload] = []
    others: list[str] = []

    def on_file(file: File) -> None:
        field = (file.field_name or b"").decode("utf-8", "replace")
        name = (file.file_name or b"").decode("utf-8", "replace")
        file.file_object.seek(0)
        data = file.file_object.read()
        file.close()
        if field not in FIELDS:
            others.append(field)
        elif name or data:  # a form sent with no file chosen has neither
            uploads.append(_Upload(name or "picture", data))
        check()

    def on_field(field: Field) -> None:
        others.append((field.field_name or b"").decode("utf-8", "replace"))
        check()

    def check() -> None:
        if len(uploads) + len(others) > limits.max_pictures:
            error = DataError(
                "too many pictures in one request", found=f"more than {limits.max_pictures}", fix="send them in parts"
            )
            raise _RefusedError(413, error)

    try:
        if not boundary:
            raise FormParserError("no boundary in the content type")
        # no limit on what stays in memory: the default would put larger files into temporary ones on disk
        config = {"MAX_MEMORY_FILE_SIZE": math.inf}
        parser = FormParser("multipart/form-data", on_field, on_file, boundary=boundary, config=config)
        await _receive(request, limits, parser.write)
        parser.finalize()
    except FormParserError as problem:
        raise _RefusedError(400, DataError("this form cannot be read", found=problem, fix=HOW)) from problem
    if others and not uploads:
        found = "only " + ", ".join(repr(name) for name in others[:5])
        raise _RefusedError(400, DataError("no picture in the field 'picture'", found=found, fix=HOW))
    return uploads


async def _receive(request: Request, limits: Limits, take: Callable[[bytes], object]) -> None:
    """Every chunk of the body goes to `take` as it comes. Stops at the limit, announced or counted."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limits.max_bytes:
        raise _too_large(f"{int(announced):,} bytes", limits)
    seen, loop = 0, asyncio.get_running_loop()
    try:
        async with asyncio.timeout(limits.patience) as clock:
            async for chunk in request.stream():
                clock.reschedule(loop.time() + limits.patience)
                seen += len(chunk)
                if seen > limits.max_bytes:
                    raise _too_large(f"more than {limits.max_bytes:,} bytes", limits)
                take(chunk)
    except TimeoutError as problem:
        error = DataError("the picture did not arrive", found=f"{seen:,} bytes, then silence", fix="send it again")
        raise _RefusedError(408, error) from problem


def _too_large(found: str, limits: Limits) -> _RefusedError:
    fix = f"send at most {limits.max_bytes / 1e6:g} MB at once; any picture editor can make it smaller"
    return _RefusedError(413, DataError("too large", found=found, fix=fix))


async def _refusal(_: Request, problem: Exception) -> Response:
    assert isinstance(problem, _RefusedError)  # registered for no other
    # The rest of a refused body is not read, so the connection cannot carry another request.
    return JSONResponse(problem.error.to_json(), problem.status, {**problem.headers, "connection": "close"})


async def _unroutable(request: Request, problem: Exception) -> Response:
    """404 and 405 come from Starlette's router."""
    assert isinstance(problem, HTTPException)
    found = f"{request.method} {request.url.path}"
    error = UrsaError(problem.detail.lower(), found=found, fix="known: GET /, POST /predict, GET /health")
    return JSONResponse(error.to_json(), problem.status_code, problem.headers)


class _Shield:
    """Around everything: security headers on every answer, and a plain JSON 500 with the reason in the log only."""

    def __init__(self, app: ASGIApp, headers: Mapping[str, str]) -> None:
        self.app, self.headers = app, headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = False

        async def guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                MutableHeaders(scope=message).update(self.headers)
            await send(message)

        try:
            await self.app(scope, receive, guarded)
        except Exception:
            logger.exception("%s %s failed", scope["method"], scope["path"])
            if started:
                raise
            error = UrsaError("something went wrong in the server", fix="try again; the server's log has the reason")
            await JSONResponse(error.to_json(), 500, {"connection": "close"})(scope, receive, guarded)


def _page(title: str) -> str:
    template = files("ursa.serve").joinpath("page.html").read_text("utf-8")
    return template.replace("{{title}}", html.escape(title))


def _security(page: str) -> dict[str, str]:
    """Headers for every answer. The page's own style and script are allowed by their hashes, and nothing else is."""

    def hashes(tag: str) -> str:
        bodies = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digests = [base64.b64encode(hashlib.sha256(body.encode()).digest()).decode() for body in bodies]
        return " ".join(f"'sha256-{digest}'" for digest in digests)

    policy = (
        f"default-src 'none'; script-src {hashes('script')}; style-src {hashes('style')}; img-src blob: data:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return {
        "content-security-policy": policy,
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "same-origin",
        "cache-control": "no-store",
    }


def _inside(document: Any, *keys: str) -> Any:
    """A value of a nested document, None where any key is missing."""
    for key in keys:
        document = document.get(key) if isinstance(document, Mapping) else None
    return document
