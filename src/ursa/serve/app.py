"""The web app: a picture is posted, JSON comes back.

    GET  /              the page and what it asks for (`page/page_routes.py`)
    POST /v1/predict    multipart with files in the field `picture` (or `file`), or one picture as the raw body
    POST /predict       the same, under its older name
    GET  /health        classes, model, limits

Pictures live in memory while they are looked at, and nowhere else: nothing is written to disk, kept or logged.
Errors are `{"error", "found", "fix"}` with the right status.
"""

import asyncio
import errno
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ursa.core.decoding.image import Pixels
from ursa.core.text import escaped
from ursa.core.threads import batched
from ursa.errors import DataError, UrsaError
from ursa.serve.http import refusals
from ursa.serve.http.clients import Offenders, client_of
from ursa.serve.http.fair_queue import FairQueue, Place
from ursa.serve.http.form import Upload
from ursa.serve.http.hosts import AllowedHosts, checked
from ursa.serve.http.refusals import RefusedError
from ursa.serve.http.shield import Shield
from ursa.serve.http.upload import Memory, uploads
from ursa.serve.limits import ServerLimits
from ursa.serve.page.page_assets import SECURITY_HEADERS
from ursa.serve.page.page_routes import page_routes
from ursa.serve.prediction import AnyPrediction
from ursa.serve.predictor import Predictor
from ursa.serve.session import BATCH

SPENT = frozenset((errno.ENOMEM, errno.EAGAIN, errno.EMFILE, errno.ENFILE))  # what the system may run out of

logger = logging.getLogger("ursa.serve")
Result = TypeVar("Result")

OFFENSES = ("crashes its decoder", "takes too long")  # how such a picture's `DataError.what` begins
NOBODY = 400  # the client has hung up: no one will read the answer


def app(
    predictor: Predictor,
    *,
    title: str | None = None,
    limits: ServerLimits | None = None,
    allowed_hosts: Sequence[str] | None = None,
) -> Starlette:
    """The application that shows and answers what this predictor says.

    allowed_hosts: names under which it may be asked, besides those of this machine; None allows all, see `hosts`.
    Time limits on connections are those of `run.server`; of a body, they are kept here.
    """
    limits = limits or ServerLimits()
    hosts = ["*"] if allowed_hosts is None else checked(allowed_hosts)
    service = _Service(predictor, limits)
    application = Starlette(
        routes=[
            *page_routes(predictor, title, limits),
            Route("/v1/predict", service.predict, methods=["POST"]),
            Route("/predict", service.predict, methods=["POST"]),
            Route("/health", service.health),
        ],
        middleware=[
            Middleware(Shield, headers=SECURITY_HEADERS),
            Middleware(AllowedHosts, allowed=hosts),
        ],
        exception_handlers={HTTPException: _unroutable, RefusedError: refusals.answer},
    )
    application.router.redirect_slashes = False  # such a redirect would repeat the Host that was sent
    return application


class _Service:
    """The endpoints that need the model, and what requests share: cores, memory, a record of who did harm."""

    def __init__(self, predictor: Predictor, limits: ServerLimits) -> None:
        self.predictor, self.limits = predictor, limits
        self.queue = FairQueue(limits.cores, limits.waiting)
        # So that `cores` threads are there for quick clients while slow ones have theirs.
        threads = limits.cores + self.queue.most_not_quick
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="ursa-predict")
        self.memory = Memory(limits.max_memory)
        self.offenders = Offenders(limits.offenses, limits.penalty, limits.max_penalty)

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
        client = client_of(request.client.host if request.client else None)
        self._refuse_offender(client)
        self.queue.refuse_if_full(client)
        with self.memory.body(client) as body:
            try:
                sent = await uploads(request, self.limits, self.memory, body)
                with self.queue.place(client) as place:
                    answers = await self._answers(request, place, sent)
            except ClientDisconnect:
                return Response(status_code=NOBODY)
        if len(answers) == 1 and isinstance(answers[0], DataError):
            raise RefusedError(422, answers[0])
        documents = [_document(upload, answer) for upload, answer in zip(sent, answers, strict=True)]
        return JSONResponse(documents[0] if len(documents) == 1 else documents)

    async def _answers(self, request: Request, place: Place, sent: Sequence[Upload]) -> list[AnyPrediction | DataError]:
        """For each picture what the model says, or what is wrong with it. Each waits for its turn."""
        self._refuse_offender(place.client)  # many were let in before the first of them did harm
        if len(sent) == 1:
            answer, seconds = await self._work(request, place, self._predict, sent[0])
            self._judge(place.client, answer, seconds)
            return [answer]
        views: dict[int, Pixels] = {}
        problems: dict[int, DataError] = {}
        for i, upload in enumerate(sent):
            if self.offenders.wait(place.client):
                problems[i] = DataError("not looked at: too many harmful pictures came from this address")
                continue
            view, seconds = await self._work(request, place, self._view, upload)
            self._judge(place.client, view, seconds)
            if isinstance(view, DataError):
                problems[i] = view
            else:
                views[i] = view
        predictions: list[AnyPrediction] = []
        for some in batched(views.values(), BATCH):
            predictions += await self._work(request, place, self.predictor.predictions, some)
        found: dict[int, AnyPrediction | DataError] = dict(zip(views, predictions, strict=True))
        return [found[i] if i in found else problems[i] for i in range(len(sent))]

    async def _work(self, request: Request, place: Place, work: Callable[[Any], Result], argument: object) -> Result:
        """In a worker thread, when it is this request's turn, if somebody still waits for the answer."""
        async with self.queue.turn(place) as waited:
            if waited and await request.is_disconnected():
                raise ClientDisconnect
            try:
                return await asyncio.get_running_loop().run_in_executor(self.pool, work, argument)
            except TimeoutError as problem:
                logger.error("%s took too long: %s", work.__name__, escaped(problem))
                raise refusals.busy("the model took too long", "no answer in its time") from problem
            except OSError as problem:
                if problem.errno not in SPENT:
                    raise
                # A worker could not be started: no fault of the picture.
                logger.error("%s: the system refused what it needs: %s", work.__name__, escaped(problem))
                raise refusals.busy("the server is out of memory or processes", "no worker could start") from problem

    def _judge(self, client: str, answer: object, seconds: float) -> None:
        self.queue.judge(client, seconds)
        if isinstance(answer, DataError) and answer.what.startswith(OFFENSES):
            self.offenders.note(client)

    def _refuse_offender(self, client: str) -> None:
        wait = self.offenders.wait(client)
        if wait > 0:
            raise refusals.too_many_offenses(wait)

    def _view(self, upload: Upload) -> tuple[Pixels | DataError, float]:
        """In a worker thread: what the model is to see of a picture, or what is wrong with it; seconds it took."""
        began = time.perf_counter()
        try:
            return self.predictor.view(upload.data, self.limits.decoding), time.perf_counter() - began
        except DataError as problem:
            problem.fix = problem.fix or "send the original picture, or save it again as JPEG or PNG"
            return problem, time.perf_counter() - began

    def _predict(self, upload: Upload) -> tuple[AnyPrediction | DataError, float]:
        """In a worker thread, for a single picture: both steps at once. The seconds are those of the first."""
        view, seconds = self._view(upload)
        return (view if isinstance(view, DataError) else self.predictor.predictions([view])[0]), seconds


def _document(upload: Upload, answer: AnyPrediction | DataError) -> dict[str, Any]:
    if isinstance(answer, DataError):
        return {"picture": upload.name, "problem": answer.what}
    return {"picture": upload.name, **answer.to_json()}


async def _unroutable(request: Request, problem: Exception) -> Response:
    """404 and 405 come from Starlette's router."""
    if not isinstance(problem, HTTPException):
        raise problem
    found = escaped(f"{request.method} {request.url.path}"[:200])
    error = UrsaError(problem.detail.lower(), found=found, fix="known: GET /, POST /predict, GET /health")
    return JSONResponse(error.to_json(), problem.status_code, problem.headers)


def _inside(document: Any, *keys: str) -> Any:
    """A value of a nested document, None where any key is missing."""
    for key in keys:
        document = document.get(key) if isinstance(document, Mapping) else None
    return document
