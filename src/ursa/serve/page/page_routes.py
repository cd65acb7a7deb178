"""Predictor -> the routes of the page. All its addresses are relative, so that it works under any path that ends in /.

    GET  ./                  the page
    GET  ./assets/PATH       its style, scripts, words
    GET  ./v1/model          what it has to know of the model, JSON
    GET  ./examples/N.jpg    pictures to try, where the bundle has some
    GET  ./card              the model card, Markdown

It posts pictures to `./v1/predict`, which is not answered here.
"""

import json

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ursa.errors import DataError
from ursa.serve.limits import ServerLimits
from ursa.serve.page.model_document import model_document
from ursa.serve.page.page_assets import Kept, media_type, page_files, titled
from ursa.serve.predictor import Predictor

MOST_CARD = 200_000  # bytes of a card that are shown: hundreds of pages, and a browser takes 0.1 s for them


def page_routes(predictor: Predictor, title: str | None = None, limits: ServerLimits | None = None) -> list[Route]:
    """title: of the operator; where there is none, "What is in the picture?" in the visitor's language.

    Raises DataError for a title of nothing.
    """
    if title is not None and not title.strip():
        raise DataError("the page's title is empty", found=repr(title)[:40], fix="leave it out for a question")
    known = {path: Kept.of(data, media_type(path)) for path, data in page_files().items() if path != "index.html"}
    index = Kept.of(titled(page_files()["index.html"], title), "text/html")
    examples = [Kept.of(one.jpeg, "image/jpeg") for one in predictor.bundle.examples]
    told = model_document(predictor, title, limits or ServerLimits(), len(examples))
    model = Kept.of(json.dumps(told, separators=(",", ":")).encode(), "application/json")
    card = Kept.of(shown_card(predictor), "text/markdown")

    async def show(request: Request) -> Response:
        return index.answer(request)

    async def asset(request: Request) -> Response:
        found = known.get(f"assets/{request.path_params['path']}")
        if found is None:
            raise HTTPException(404)
        return found.answer(request)

    async def tell(request: Request) -> Response:
        return model.answer(request)

    async def example(request: Request) -> Response:
        number: int = request.path_params["number"]
        if number >= len(examples):
            raise HTTPException(404)
        return examples[number].answer(request)

    async def read(request: Request) -> Response:
        return card.answer(request)

    return [
        Route("/", show),
        Route("/assets/{path:path}", asset),
        Route("/v1/model", tell),
        Route("/examples/{number:int}.jpg", example),
        Route("/card", read),
    ]


def shown_card(predictor: Predictor) -> bytes:
    """Text in UTF-8, whatever the bundle holds there."""
    data = predictor.bundle.parts.get("card.md", b"")[:MOST_CARD]
    return data.decode("utf-8", "replace").encode()
