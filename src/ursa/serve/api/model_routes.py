"""One model's paths: `predict`, `v1/predict`, `health`, `openapi.json`, relative to where it stands."""

from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ursa.core.tasks import REGRESSION
from ursa.core.text import escaped
from ursa.errors import DataError
from ursa.serve.api.api_keys import may_know
from ursa.serve.api.openapi import openapi
from ursa.serve.api.served_models import ServedModel
from ursa.serve.api.server_metrics import ServerMetrics
from ursa.serve.api.service import Answer, Service
from ursa.serve.http.exchange import exchange_of
from ursa.serve.http.form import Upload
from ursa.serve.http.refusals import RefusedError
from ursa.serve.page.model_document import inside
from ursa.serve.prediction import most_probable

NOBODY = 499  # the client has hung up (nginx's number): no one will read the answer


class ModelRoutes:
    """Endpoints that ask one model."""

    def __init__(self, model: ServedModel, service: Service, metrics: ServerMetrics, *, needs_key: bool) -> None:
        self.model, self.service, self.metrics, self.needs_key = model, service, metrics, needs_key

    def routes(self) -> list[Route]:
        """For a router at this model's place."""
        return [
            Route("/predict", self.predict, methods=["POST"]),
            Route("/v1/predict", self.predict_v1, methods=["POST"]),
            Route("/health", self.health),
            Route("/openapi.json", self.openapi),
        ]

    async def predict(self, request: Request) -> Response:
        """One picture -> its prediction; several -> a list, in their order. Parameters are passed over, as ever."""
        exchange_of(request.scope).path = "/predict"
        return await self._predict(request, None)

    async def predict_v1(self, request: Request) -> Response:
        """The same, with `?top=K` for the K most probable classes only."""
        exchange_of(request.scope).path = "/v1/predict"
        return await self._predict(request, self._top(request))

    async def health(self, request: Request) -> Response:
        """What is being served; the page builds itself from it."""
        exchange_of(request.scope).path = "/health"
        if not may_know(request.scope):
            return JSONResponse({"status": "ok"})
        document, limits = self.model.predictor.bundle.document, self.service.limits
        model = {
            "name": inside(document, "training", "backbone"),
            "version": inside(document, "versions", "ursa"),
            "created": inside(document, "created"),
            "accuracy": inside(document, "metrics", "accuracy"),
            "sha256": inside(document, "sha256"),
        }
        shown = {"max_bytes": limits.max_bytes, "max_pictures": limits.max_pictures}
        names = list(self.model.predictor.labels.names)
        return JSONResponse({"status": "ok", "classes": names, "model": model, "limits": shown})

    async def openapi(self, request: Request) -> Response:
        """This API, for programs."""
        exchange_of(request.scope).path = "/openapi.json"
        at = request.scope.get("root_path", "")
        model = self.model
        return JSONResponse(
            openapi(model.predictor, model.title or model.name, self.service.limits, at, needs_key=self.needs_key)
        )

    async def _predict(self, request: Request, top: int | None) -> Response:
        with self.model.use() as predictor:
            try:
                found = await self.service.answers(request, predictor)
            except ClientDisconnect:
                return Response(status_code=NOBODY)
        problems = sum(isinstance(answer, DataError) for _, answer in found)
        self.metrics.pictures(self.model.name, len(found) - problems, problems)
        if len(found) == 1 and isinstance(found[0][1], DataError):
            raise RefusedError(422, found[0][1])
        documents = [_document(upload, answer, top) for upload, answer in found]
        return JSONResponse(documents[0] if len(documents) == 1 else documents)

    def _top(self, request: Request) -> int | None:
        """What `?top=` asks for. Raises RefusedError 400 for what it cannot mean, and for other names."""
        for name in request.query_params:
            if name != "top":
                error = DataError("there is no such parameter", found=escaped(name[:100]), fix="known: top")
                raise RefusedError(400, error)
        sent = request.query_params.getlist("top")
        if not sent:
            return None
        if self.model.predictor.task == REGRESSION:
            error = DataError("this model gives numbers, not probabilities", found="top", fix="leave `top` out")
            raise RefusedError(400, error)
        most = len(self.model.predictor.labels)
        if len(sent) > 1 or not sent[0].isascii() or not sent[0].isdecimal() or not 1 <= int(sent[0][:9]) <= most:
            found = escaped(", ".join(sent)[:100])
            raise RefusedError(400, DataError("`top` is a number of classes", found=found, fix=f"send 1 to {most}"))
        return int(sent[0])


def _document(upload: Upload, answer: Answer, top: int | None) -> dict[str, Any]:
    if isinstance(answer, DataError):
        return {"picture": upload.name, "problem": answer.what}
    known = answer.to_json()
    if top is not None:
        known["probabilities"] = most_probable(known["probabilities"], top)
    return {"picture": upload.name, **known}
