"""The web app: a picture is posted, JSON comes back.

    GET  /               the page and what it asks for (`page/page_routes.py`)
    POST /v1/predict     multipart with files in the field `picture` (or `file`), or one picture as the raw body
    GET  /health         alive: classes, model, limits
    GET  /ready          200 while requests should be sent here, else 503
    GET  /metrics        what happened, for Prometheus
    GET  /openapi.json   the same as this list, for programs

`/predict` is the first version of `/v1/predict`, and stays. With several models, each has its page and API below its
name, and the first one stands at `/`, too.

Pictures live in memory while they are looked at, and nowhere else: nothing is written to disk, kept or logged.
Errors are `{"error", "found", "fix"}` with the right status.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

import numpy as np
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ursa import sandbox
from ursa.core.text import escaped
from ursa.errors import UrsaError, first_line
from ursa.serve.api.api_keys import RequireKey
from ursa.serve.api.cors import cors_options
from ursa.serve.api.model_paths import ModelPaths
from ursa.serve.api.model_routes import ModelRoutes
from ursa.serve.api.readiness import Readiness
from ursa.serve.api.reload import take_over_new_versions
from ursa.serve.api.request_log import RequestLog, require_log
from ursa.serve.api.served_models import ServedModel, as_models
from ursa.serve.api.server_metrics import ServerMetrics
from ursa.serve.api.service import Service
from ursa.serve.http import refusals
from ursa.serve.http.exchange import exchange_of
from ursa.serve.http.hosts import AllowedHosts, checked
from ursa.serve.http.refusals import RefusedError
from ursa.serve.http.shield import Shield
from ursa.serve.limits import ServerLimits
from ursa.serve.page.model_document import inside
from ursa.serve.page.page_assets import SECURITY_HEADERS
from ursa.serve.page.page_routes import page_routes
from ursa.serve.predictor import Predictor

logger = logging.getLogger("ursa.serve")

WARM_AGAIN = 5.0  # s until another try where the first run failed, as when memory is short
KNOWN = "GET /, POST /v1/predict, POST /predict, GET /health, GET /ready, GET /metrics, GET /openapi.json"


@dataclass(frozen=True)
class ApiOptions:
    """Who may ask, and what is written down of it."""

    api_keys: tuple[str, ...] = ()  # one of them has to be sent, where there are some
    cors_origins: tuple[str, ...] = ()  # as "https://bears.example.com", whose pages may ask; "*" for all
    log: str = "none"  # a line for each request to stderr: none, text, json


def app(
    served: Predictor | ServedModel | Sequence[ServedModel],
    *,
    title: str | None = None,
    limits: ServerLimits | None = None,
    allowed_hosts: Sequence[str] | None = None,
    options: ApiOptions | None = None,
    readiness: Readiness | None = None,
) -> Starlette:
    """The application that shows and answers what these models say.

    allowed_hosts: names under which it may be asked, besides those of this machine; None allows all, see `hosts`.
    readiness: where the server says that it is about to end. Time limits on connections are those of `run.server`; of a
    body, they are kept here. New versions of bundles are taken over while the application's lifespan runs.
    """
    models, limits, options = as_models(served, title), limits or ServerLimits(), options or ApiOptions()
    ready, metrics, service = readiness or Readiness(), ServerMetrics(), Service(limits)
    require_log(options.log)
    hosts = ["*"] if allowed_hosts is None else checked(allowed_hosts)
    site = _Site(models, service, metrics, ready, needs_key=bool(options.api_keys))
    paths = ModelPaths(models, site.routes)
    middleware = [
        Middleware(RequestLog, metrics=metrics, kind=options.log, leaving=lambda: ready.leaving),
        Middleware(Shield, headers=SECURITY_HEADERS),
        Middleware(AllowedHosts, allowed=hosts),
    ]
    if options.cors_origins:
        middleware.append(Middleware(CORSMiddleware, **cors_options(options.cors_origins)))
    if options.api_keys:
        middleware.append(Middleware(RequireKey, keys=options.api_keys))
    application = Starlette(
        routes=[Route("/ready", site.ready), Route("/metrics", site.metrics)],
        middleware=middleware,
        exception_handlers={HTTPException: _unroutable, RefusedError: refusals.answer},
        lifespan=lambda _: site.living(paths.changed),
    )
    application.router.redirect_slashes = False  # such a redirect would repeat the Host that was sent
    application.router.default = paths
    return application


class _Site:
    """What all models share: the endpoints of the server itself, and its life."""

    def __init__(
        self,
        models: Sequence[ServedModel],
        service: Service,
        metrics: ServerMetrics,
        readiness: Readiness,
        *,
        needs_key: bool,
    ) -> None:
        self.models, self.service, self.counts, self.readiness = models, service, metrics, readiness
        self.needs_key = needs_key
        metrics.watch("ursa_queue_length", "Requests that are worked on or wait for a core.", service.queue.length)
        metrics.watch("ursa_pictures_in_progress", "Pictures that are worked on.", service.queue.in_progress)
        metrics.watch("ursa_upload_bytes", "Bytes of bodies in memory.", lambda: service.memory.shares.taken)
        metrics.watch("ursa_ready", "1 while new requests should be sent here.", lambda: not readiness.problem)
        for model in models:
            self._describe(model)

    def routes(self, model: ServedModel) -> list[Route]:
        """Of one model, as it is now."""
        title = model.title or (model.name if len(self.models) > 1 else None)
        page = page_routes(model.predictor, title, self.service.limits)
        endpoints = ModelRoutes(model, self.service, self.counts, needs_key=self.needs_key)
        return [*page, *endpoints.routes()]

    async def ready(self, request: Request) -> Response:
        """Whether to send requests here."""
        exchange_of(request.scope).path = "/ready"
        if (problem := self.readiness.problem) is not None:
            raise refusals.busy(problem, "not ready for requests", "not_ready")
        return JSONResponse({"status": "ready"})

    async def metrics(self, request: Request) -> Response:
        """For Prometheus."""
        exchange_of(request.scope).path = "/metrics"
        text, kind = self.counts.text()
        return Response(text, media_type=kind)

    @contextlib.asynccontextmanager
    async def living(self, changed: Callable[[ServedModel], object]) -> AsyncIterator[None]:
        """While the application runs: it warms up, and takes over new versions."""

        def done(model: ServedModel, outcome: str) -> None:
            self.counts.reloaded(model.name, outcome)
            if outcome == "taken_over":
                self._describe(model)
                changed(model)

        async with asyncio.TaskGroup() as tasks:
            warming = tasks.create_task(self._warm())
            watching = tasks.create_task(take_over_new_versions(self.models, done))
            try:
                yield
            finally:
                self.readiness.leave()
                warming.cancel()
                watching.cancel()

    async def _warm(self) -> None:
        """A decoder, and one run of every model, so that no picture waits for the first one."""
        while not self.readiness.warm:
            try:
                await asyncio.to_thread(sandbox.prepare)
                for model in self.models:
                    with model.use() as predictor:
                        size = predictor.bundle.preparation.size
                        await asyncio.to_thread(predictor.predictions, [np.zeros((size, size, 3), np.uint8)])
            except (UrsaError, OSError) as problem:
                logger.error("not ready: the first run failed: %s", escaped(first_line(problem)))
                await asyncio.sleep(WARM_AGAIN)
            else:
                self.readiness.warm = True

    def _describe(self, model: ServedModel) -> None:
        document = model.predictor.bundle.document
        about = {"name": ("training", "backbone"), "version": ("versions", "ursa"), "sha256": ("sha256",)}
        self.counts.model(model.name, **{key: str(inside(document, *keys) or "") for key, keys in about.items()})


async def _unroutable(request: Request, problem: Exception) -> Response:
    """404 and 405 come from Starlette's router."""
    if not isinstance(problem, HTTPException):
        raise problem
    found = escaped(f"{request.method} {request.url.path}"[:200])
    error = UrsaError(problem.detail.lower(), found=found, fix=f"known: {KNOWN}")
    return JSONResponse(error.to_json(), problem.status_code, problem.headers)
