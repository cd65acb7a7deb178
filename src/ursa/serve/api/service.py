"""A request's pictures -> what a model says of each. What requests share: cores, memory, a record of who did harm."""

import asyncio
import errno
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

from ursa.core.decoding.image import Pixels
from ursa.core.text import escaped
from ursa.core.threads import batched
from ursa.errors import DataError
from ursa.serve.api.rate_limit import RateLimiter
from ursa.serve.http import refusals
from ursa.serve.http.clients import Offenders, client_of
from ursa.serve.http.fair_queue import FairQueue, Place
from ursa.serve.http.form import Upload
from ursa.serve.http.upload import Memory, uploads
from ursa.serve.limits import ServerLimits
from ursa.serve.prediction import AnyPrediction
from ursa.serve.predictor import Predictor
from ursa.serve.session import BATCH

SPENT = frozenset((errno.ENOMEM, errno.EAGAIN, errno.EMFILE, errno.ENFILE))  # what the system may run out of
OFFENSES = ("crashes its decoder", "takes too long")  # how such a picture's `DataError.what` begins

logger = logging.getLogger("ursa.serve")
Result = TypeVar("Result")
Answer = AnyPrediction | DataError


class Service:
    """Works on the pictures of all requests, for all models."""

    def __init__(self, limits: ServerLimits) -> None:
        self.limits = limits
        self.queue = FairQueue(limits.cores, limits.waiting)
        # So that `cores` threads are there for quick clients while slow ones have theirs.
        threads = limits.cores + self.queue.most_not_quick
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="ursa-predict")
        self.memory = Memory(limits.max_memory)
        self.offenders = Offenders(limits.offenses, limits.penalty, limits.max_penalty)
        self.rate = None if limits.rate is None else RateLimiter(limits.rate)

    async def answers(self, request: Request, predictor: Predictor) -> list[tuple[Upload, Answer]]:
        """The pictures of a request, each with what the model says or what is wrong with it.

        Raises RefusedError, and ClientDisconnect where nobody waits for the answer any more.
        """
        client = client_of(request.client.host if request.client else None)
        self._refuse_offender(client)
        if self.rate is not None:
            self.rate.require(client)
        self.queue.refuse_if_full(client)
        with self.memory.body(client) as body:
            sent = await uploads(request, self.limits, self.memory, body)
            if self.rate is not None:
                self.rate.take(client, len(sent))
            with self.queue.place(client) as place:
                return list(zip(sent, await self._answers(request, predictor, place, sent), strict=True))

    async def _answers(
        self, request: Request, predictor: Predictor, place: Place, sent: Sequence[Upload]
    ) -> list[Answer]:
        """Each picture waits for its turn."""
        self._refuse_offender(place.client)  # many were let in before the first of them did harm

        def view(upload: Upload) -> tuple[Pixels | DataError, float]:
            return _view(predictor, upload, self.limits.decoding)

        def predict(upload: Upload) -> tuple[Answer, float]:
            """For a single picture, both steps at once. The seconds are those of the first."""
            found, seconds = view(upload)
            return (found if isinstance(found, DataError) else predictor.predictions([found])[0]), seconds

        if len(sent) == 1:
            answer, seconds = await self._work(request, place, predict, sent[0])
            self._judge(place.client, answer, seconds)
            return [answer]
        views: dict[int, Pixels] = {}
        problems: dict[int, DataError] = {}
        for i, upload in enumerate(sent):
            if self.offenders.wait(place.client):
                problems[i] = DataError("not looked at: too many harmful pictures came from this address")
                continue
            found, seconds = await self._work(request, place, view, upload)
            self._judge(place.client, found, seconds)
            if isinstance(found, DataError):
                problems[i] = found
            else:
                views[i] = found
        predictions: list[AnyPrediction] = []
        for some in batched(views.values(), BATCH):
            predictions += await self._work(request, place, predictor.predictions, some)
        known: dict[int, Answer] = dict(zip(views, predictions, strict=True))
        return [known[i] if i in known else problems[i] for i in range(len(sent))]

    async def _work(self, request: Request, place: Place, work: Callable[[Any], Result], argument: object) -> Result:
        """In a worker thread, when it is this request's turn, if somebody still waits for the answer."""
        async with self.queue.turn(place) as waited:
            if waited and await request.is_disconnected():
                raise ClientDisconnect
            try:
                return await asyncio.get_running_loop().run_in_executor(self.pool, work, argument)
            except TimeoutError as problem:
                logger.error("%s took too long: %s", work.__name__, escaped(problem))
                raise refusals.busy("the model took too long", "no answer in its time", "model_too_slow") from problem
            except OSError as problem:
                if problem.errno not in SPENT:
                    raise
                # A worker could not be started: no fault of the picture.
                logger.error("%s: the system refused what it needs: %s", work.__name__, escaped(problem))
                what, found = "the server is out of memory or processes", "no worker could start"
                raise refusals.busy(what, found, "no_worker") from problem

    def _judge(self, client: str, answer: object, seconds: float) -> None:
        self.queue.judge(client, seconds)
        if isinstance(answer, DataError) and answer.what.startswith(OFFENSES):
            self.offenders.note(client)

    def _refuse_offender(self, client: str) -> None:
        wait = self.offenders.wait(client)
        if wait > 0:
            raise refusals.too_many_offenses(wait)


def _view(predictor: Predictor, upload: Upload, most: float) -> tuple[Pixels | DataError, float]:
    """In a worker thread: what the model is to see of a picture, or what is wrong with it; seconds it took."""
    began = time.perf_counter()
    try:
        return predictor.view(upload.data, most), time.perf_counter() - began
    except DataError as problem:
        problem.fix = problem.fix or "send the original picture, or save it again as JPEG or PNG"
        return problem, time.perf_counter() - began
