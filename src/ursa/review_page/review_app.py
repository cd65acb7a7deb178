"""ReviewSession -> the application: one page, its scripts, pictures, and a JSON API. Every path begins with the token.

    GET  /T/                       the page
    GET  /T/app/NAME               its scripts and style
    GET  /T/pictures/SHA256/small  or large: made by us from the pixels
    GET  /T/api/start, view, items, changes
    POST /T/api/decide, draw, rows, apply, revert

Errors are `{"error", "found", "fix"}` with the right status.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ursa.clean.decisions.decision import KINDS, LABELS, LONGEST_LABEL
from ursa.core.text import escaped
from ursa.errors import DataError, TrainingError, UrsaError
from ursa.review_page.access import Ticket, TokenAccess, page_headers
from ursa.review_page.review_items import TO_LABEL, words_of
from ursa.review_page.review_pictures import ReviewPictures
from ursa.review_page.review_session import ReviewSession, Wish, item_json
from ursa.serve.http import refusals
from ursa.serve.http.hosts import AllowedHosts
from ursa.serve.http.refusals import RefusedError
from ursa.serve.http.shield import Shield

MOST_BYTES = 1 << 20  # of a body
MOST_WISHES = 2_000  # decisions at once
MOST_ITEMS = 200  # asked for at once

TYPES = {"html": "text/html", "js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
FOREVER = "private, max-age=31536000, immutable"  # what has these bytes always looks like this
_NAME = re.compile(r"[a-z_]+\.(js|css|svg)")


@dataclass(frozen=True)
class ReviewActions:
    """What the page has done by others, above this room: documents of `ursa apply` and `ursa revert`."""

    apply: Callable[[bool, bool], Mapping[str, Any]]  # dry run, move
    revert: Callable[[], Mapping[str, Any]]
    rows: Callable[[Sequence[tuple[int, int]], bool], "LabelRows"] | None = None  # outcomes, finish -> what to label


@dataclass(frozen=True)
class LabelRows:
    """What to label next, and how far it is."""

    rows: Sequence[tuple[Sequence[str], str, str | None]]  # ids, purpose, likely class
    sentence: str


def review_app(
    session: ReviewSession,
    pictures: ReviewPictures,
    actions: ReviewActions,
    token: str,
    *,
    about: Mapping[str, Any] | None = None,
    framed: bool = False,
    allowed_hosts: tuple[str, ...] = (),
    ticket: Ticket | None = None,
) -> Starlette:
    """about: what the page says of itself: folder, commands. framed: in a notebook. ticket: leads there once."""
    service = _Service(session, pictures, actions, about or {})
    routes = [
        Route("/{token}/", service.page),
        Route("/{token}/app/{name}", service.asset),
        Route("/{token}/pictures/{sha256}/{size}", service.picture),
        Route("/{token}/api/start", service.start),
        Route("/{token}/api/view", service.view),
        Route("/{token}/api/items", service.shown),
        Route("/{token}/api/changes", service.changes),
        Route("/{token}/api/decide", service.decide, methods=["POST"]),
        Route("/{token}/api/draw", service.draw, methods=["POST"]),
        Route("/{token}/api/rows", service.rows, methods=["POST"]),
        Route("/{token}/api/apply", service.apply, methods=["POST"]),
        Route("/{token}/api/revert", service.revert, methods=["POST"]),
    ]
    application = Starlette(
        routes=routes,
        middleware=[
            Middleware(Shield, headers=page_headers(framed=framed)),
            Middleware(AllowedHosts, allowed=allowed_hosts, fix="open the address that `ursa review` printed"),
            Middleware(TokenAccess, token=token, allowed=allowed_hosts, ticket=ticket),
        ],
        exception_handlers={
            HTTPException: _unroutable,
            RefusedError: refusals.answer,
            DataError: _refused,
            TrainingError: _refused,
        },
    )
    application.router.redirect_slashes = False
    return application


class _Service:
    def __init__(
        self, session: ReviewSession, pictures: ReviewPictures, actions: ReviewActions, about: Mapping[str, Any]
    ) -> None:
        self.session, self.pictures, self.actions, self.about = session, pictures, actions, about

    async def page(self, _: Request) -> Response:
        return _static("index.html")

    async def asset(self, request: Request) -> Response:
        name = request.path_params["name"]
        if not _NAME.fullmatch(name):
            raise HTTPException(404)
        return _static(name)

    async def picture(self, request: Request) -> Response:
        key, size = request.path_params["sha256"], request.path_params["size"]
        if size not in ("small", "large") or key not in self.session.table.rows_of:
            raise HTTPException(404)
        tag = f'"{key[:32]}-{size}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"etag": tag, "cache-control": FOREVER})
        try:
            made = await run_in_threadpool(self.pictures.small if size == "small" else self.pictures.large, key)
        except DataError as problem:  # gone, changed or damaged meanwhile
            return _json(problem.to_json(), 404)
        kind = "image/webp" if size == "small" else "image/jpeg"
        return Response(made, media_type=kind, headers={"etag": tag, "cache-control": FOREVER})

    async def start(self, _: Request) -> Response:
        def document() -> dict[str, Any]:
            state = self.session.changes(-1)
            later = [TO_LABEL] if self.actions.rows is not None and self.session.unlabeled() else []
            kinds = [
                {"name": name, "title": words_of(name).title, "about": words_of(name).about}
                for name in dict.fromkeys([*state["progress"]["kinds"], *later])
            ]
            splits = sorted(set(self.session.table.columns["split"]) - {None})
            labeled = self.session.table.task == "single-label"
            bare = self.session.unlabeled() if self.actions.rows is not None and labeled else 0
            return {**self.about, **state, "kinds": kinds, "splits": splits, "labeled": labeled, "unlabeled": bare}

        return _json(await run_in_threadpool(document))

    async def view(self, request: Request) -> Response:
        asked = request.query_params
        kinds, labels, splits = (asked.getlist(name) for name in ("kind", "class", "split"))
        found = await run_in_threadpool(self.session.view, kinds, labels, splits, asked.get("state", ""))
        return _json({"runs": _runs(found), "items": len(found)})

    async def shown(self, request: Request) -> Response:
        numbers = [_whole(word) for word in request.query_params.get("numbers", "").split(",")[: MOST_ITEMS + 1]]
        if len(numbers) > MOST_ITEMS:
            raise _misuse("too many items at once", f"more than {MOST_ITEMS}")
        if not all(0 <= number < len(self.session.items) for number in numbers):
            raise RefusedError(404, DataError("there is no such item", fix="reload the page"))
        return _json({"items": [item_json(self.session, number) for number in numbers]})

    async def changes(self, request: Request) -> Response:
        version = _whole(request.query_params.get("since", "0"))
        return _json(await run_in_threadpool(self.session.changes, version))

    async def decide(self, request: Request) -> Response:
        document = await _document(request)
        told = document.get("decisions")
        if not isinstance(told, list) or not 0 < len(told) <= MOST_WISHES:
            raise _misuse("decisions are a list", f"1 to {MOST_WISHES:,} of them")
        wishes = [_wish(one) for one in told]
        return _json(await run_in_threadpool(self.session.decide, wishes))

    async def draw(self, request: Request) -> Response:
        await _document(request)
        return _json({"number": await run_in_threadpool(self.session.draw)})

    async def rows(self, request: Request) -> Response:
        finish, next_rows = (await _document(request)).get("finish", False), self.actions.rows
        if not isinstance(finish, bool):
            raise _misuse("finish is true or false", repr(finish)[:100])
        if next_rows is None:
            raise RefusedError(404, DataError("there is nothing to label here", fix="ursa check FOLDER"))

        def found() -> dict[str, Any]:
            told = next_rows(self.session.outcomes(), finish)
            numbers = self.session.add_rows(told.rows)
            return {"numbers": numbers, "words": told.sentence, "progress": self.session.progress()}

        return _json(await run_in_threadpool(found))

    async def apply(self, request: Request) -> Response:
        document = await _document(request)
        dry_run, move = document.get("dry_run", True), document.get("move", False)
        if not isinstance(dry_run, bool) or not isinstance(move, bool):
            raise _misuse("dry_run and move are true or false", repr(document)[:100])
        return _json(await run_in_threadpool(self.actions.apply, dry_run, move))

    async def revert(self, request: Request) -> Response:
        await _document(request)
        return _json(await run_in_threadpool(self.actions.revert))


def _json(document: Any, status: int = 200) -> Response:
    """In ASCII: names of files may hold what is no UTF-8."""
    return Response(json.dumps(document, allow_nan=False, separators=(",", ":")), status, media_type="application/json")


def _static(name: str) -> Response:
    place = files("ursa.review_page").joinpath("assets", name)
    if not place.is_file():
        raise HTTPException(404)
    return Response(place.read_bytes(), media_type=TYPES[name.rpartition(".")[2]])


async def _document(request: Request) -> dict[str, Any]:
    """The JSON object of a body. Raises RefusedError for anything else, and for too much."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise RefusedError(415, DataError("this takes JSON", fix="content-type: application/json"))
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MOST_BYTES:
            raise refusals.too_large(f"more than {MOST_BYTES:,} bytes", MOST_BYTES)
    try:
        document = json.loads(bytes(data))
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise _misuse("this is not a JSON object", f"{len(data):,} bytes")
    return document


def _runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Ascending numbers -> first and count of each run: 50,000 that pass no filter are one."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and sum(runs[-1]) == number:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((number, 1))
    return runs


def _wish(told: Any) -> Wish:
    known = {"row": int, "kind": str, "label": str, "key": str}
    if not isinstance(told, dict) or not {"row", "kind"} <= told.keys() <= known.keys():
        raise _misuse("a decision names a row and a kind", repr(told)[:100])
    given = {name: value for name, value in told.items() if value is not None}
    if not all(type(value) is known[name] for name, value in given.items()) or told["kind"] not in KINDS:
        raise _misuse("a decision is of another form", repr(told)[:100])
    label = given.get("label")
    if (given["kind"] in LABELS) != (label is not None) or (label is not None and not _name_of_class(label)):
        raise _misuse("a class needs a name", repr(label)[:100])
    return Wish(**given)


def _name_of_class(label: str) -> bool:
    """Anything that a person can read and that a file can hold: other commands print it, and journals keep it."""
    return bool(label.strip()) and len(label) <= LONGEST_LABEL and "\0" not in label and _encodes(label)


def _encodes(label: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in label)


def _whole(word: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,15}", word):
        raise _misuse("this is a whole number", repr(word)[:100])
    return int(word)


def _misuse(what: str, found: str) -> RefusedError:
    return RefusedError(400, DataError(what, found=escaped(found)))


async def _refused(_: Request, problem: Exception) -> Response:
    """What cannot be done, with its reason: 507 where there is no room to save it."""
    if not isinstance(problem, UrsaError):
        raise problem
    status = 507 if problem.what.startswith("no space left") else 409
    return _json(problem.to_json(), status)


async def _unroutable(_: Request, problem: Exception) -> Response:
    if not isinstance(problem, HTTPException):
        raise problem
    return JSONResponse(DataError(problem.detail.lower()).to_json(), problem.status_code, problem.headers)
