"""A model and the limits of its server -> the OpenAPI 3.1 document of its paths. By hand, so it says what holds."""

from typing import Any

from ursa.core.tasks import MULTI_LABEL, REGRESSION
from ursa.serve.http.form import FIELDS
from ursa.serve.limits import ServerLimits
from ursa.serve.page.model_document import inside
from ursa.serve.predictor import Predictor

MOST_NAMES = 1000  # classes that are listed one by one
JSON = "application/json"


def openapi(
    predictor: Predictor, title: str, limits: ServerLimits, at: str = "", *, needs_key: bool = False
) -> dict[str, Any]:
    """at: the path below which this model stands, as "/bears"; "" for the server's root."""
    version = inside(predictor.bundle.document, "versions", "ursa")
    found: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "version": str(version or "0"),
            "description": "Sends a picture to an image model. Pictures are looked at in memory, and not kept.",
        },
        "servers": [{"url": at or "/"}],
        "paths": {
            "/v1/predict": {"post": _predict("predict", limits, _top(predictor), needs_key=needs_key)},
            "/predict": {"post": _predict("predict_unversioned", limits, [], needs_key=needs_key)},
            "/health": {"get": _health(needs_key=needs_key)},
        },
        "components": {"schemas": _schemas(predictor), "headers": _headers()},
    }
    if not at:
        found["paths"] |= _of_the_server(needs_key=needs_key)
    if needs_key:
        found["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
        found["security"] = [{"bearer": []}, {"header": []}]
    return found


def _predict(name: str, limits: ServerLimits, parameters: list[Any], *, needs_key: bool) -> dict[str, Any]:
    sent = {"type": "string", "contentMediaType": "application/octet-stream"}
    several = {"type": "array", "items": sent, "minItems": 1, "maxItems": limits.max_pictures}
    form = {
        "type": "object",
        "properties": dict.fromkeys(FIELDS, several),
        "anyOf": [{"required": [field]} for field in FIELDS],
    }
    one = {"$ref": "#/components/schemas/Prediction"}
    many = {"type": "array", "items": {"anyOf": [one, {"$ref": "#/components/schemas/Problem"}]}}
    answers = {"200": _answer("One picture: its prediction. Several: a list, in their order.", {"anyOf": [one, many]})}
    for status, when in {
        400: "No picture, a form that cannot be read, or a parameter that means nothing",
        408: "The body came too slowly",
        413: f"More than {limits.max_bytes:,} bytes or {limits.max_pictures} pictures",
        415: "Another content type",
        422: "The one picture that was sent cannot be read",
        429: "Too many pictures, or too many harmful ones, came from this address",
        503: "Busy: the same request may go well later",
    }.items():
        answers[str(status)] = _refusal(when, again=status in (429, 503))
    content = {"multipart/form-data": {"schema": form}, "image/*": {}, "application/octet-stream": {}}
    return {
        "operationId": name,
        "summary": "What is in a picture, or in several",
        "parameters": parameters,
        "requestBody": {"required": True, "content": content},
        "responses": answers | (_unauthorized() if needs_key else {}),
    }


def _top(predictor: Predictor) -> list[Any]:
    if predictor.task == REGRESSION:
        return []
    schema = {"type": "integer", "minimum": 1, "maximum": len(predictor.labels)}
    about = "Only the probabilities of so many classes, the most probable ones first"
    return [{"name": "top", "in": "query", "required": False, "schema": schema, "description": about}]


def _health(*, needs_key: bool) -> dict[str, Any]:
    text, several = {"type": "string"}, {"type": "array", "items": {"type": "string"}}
    properties = {"status": {"const": "ok"}, "classes": several, "model": {"type": "object"}}
    properties["limits"] = {"type": "object", "additionalProperties": {"type": "integer"}}
    required = ["status"] if needs_key else ["status", "classes", "model", "limits"]
    schema = {"type": "object", "properties": properties | {"status": {**text, "const": "ok"}}, "required": required}
    about = "Alive, and what is served" + (" (to who sends a key)" if needs_key else "")
    found = {"operationId": "health", "summary": about, "responses": {"200": _answer("Alive", schema)}}
    return found | ({"security": []} if needs_key else {})


def _of_the_server(*, needs_key: bool) -> dict[str, Any]:
    ready = {"type": "object", "properties": {"status": {"const": "ready"}}, "required": ["status"]}
    answers = {"200": _answer("Send requests here", ready), "503": _refusal("Starting, or shutting down", again=True)}
    about: dict[str, Any] = {"operationId": "ready", "summary": "Whether to send requests here", "responses": answers}
    text = {"description": "Prometheus text format", "content": {"text/plain": {"schema": {"type": "string"}}}}
    metrics = {
        "operationId": "metrics",
        "summary": "What happens in the server, for Prometheus",
        "responses": {"200": text} | (_unauthorized() if needs_key else {}),
    }
    return {"/ready": {"get": about | ({"security": []} if needs_key else {})}, "/metrics": {"get": metrics}}


def _schemas(predictor: Predictor) -> dict[str, Any]:
    names, task = predictor.labels.names, predictor.task
    label: dict[str, Any] = {"type": "string"}
    if len(names) <= MOST_NAMES:
        label["enum"] = list(names)
    share = {"type": "number", "minimum": 0, "maximum": 1}
    by_class = {"type": "object", "propertyNames": label, "additionalProperties": share}
    properties: dict[str, Any] = {"picture": {"type": "string", "description": "The name of the file as it was sent"}}
    if task == REGRESSION:
        values = {"type": "object", "propertyNames": label, "additionalProperties": {"type": "number"}}
        properties["values"] = values
    elif task == MULTI_LABEL:
        properties |= {"labels": {"type": "array", "items": label}, "probabilities": by_class}
    else:
        properties |= {"label": label, "probability": share, "probabilities": by_class}
    required = list(properties)
    if predictor.bundle.decisions.abstain is not None:
        properties["unsure"] = {"type": "boolean", "description": "Too little certain to be relied on"}
    text = {"type": ["string", "null"]}
    error = {"error": {"type": "string"}, "found": text, "fix": text}
    problem = {"picture": {"type": "string"}, "problem": {"type": "string"}}
    return {
        "Prediction": {"type": "object", "properties": properties, "required": required},
        "Problem": {"type": "object", "properties": problem, "required": list(problem)},
        "Error": {"type": "object", "properties": error, "required": list(error)},
    }


def _headers() -> dict[str, Any]:
    about = "Taken over from the request (up to 64 of A-Z a-z 0-9 . _ -), or made"
    seconds = {"schema": {"type": "integer", "minimum": 1}, "description": "Seconds to wait", "required": True}
    return {"X-Request-ID": {"schema": {"type": "string"}, "description": about}, "Retry-After": seconds}


def _answer(about: str, schema: dict[str, Any]) -> dict[str, Any]:
    named = {"X-Request-ID": {"$ref": "#/components/headers/X-Request-ID"}}
    return {"description": about, "headers": named, "content": {JSON: {"schema": schema}}}


def _refusal(about: str, *, again: bool = False) -> dict[str, Any]:
    found = _answer(about, {"$ref": "#/components/schemas/Error"})
    if again:
        found["headers"] = {**found["headers"], "Retry-After": {"$ref": "#/components/headers/Retry-After"}}
    return found


def _unauthorized() -> dict[str, Any]:
    return {"401": _refusal("No API key, or an unknown one")}
