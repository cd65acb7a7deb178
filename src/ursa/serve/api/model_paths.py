"""Path -> the routes of the model that stands there: the first at `/`, each of several below its name."""

from collections.abc import Callable, Sequence

from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Router
from starlette.types import Receive, Scope, Send

from ursa.serve.api.served_models import ServedModel, by_name
from ursa.serve.http.exchange import exchange_of


class ModelPaths:
    """An ASGI application. routes: of a model as it is now; asked again when a new version was taken over."""

    def __init__(self, models: Sequence[ServedModel], routes: Callable[[ServedModel], Sequence[BaseRoute]]) -> None:
        self.first, self.named, self.routes = models[0], by_name(models), routes
        self._routers = {model: self._router(model) for model in models}

    def changed(self, model: ServedModel) -> None:
        """It has another page and other classes now."""
        self._routers[model] = self._router(model)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name, slash, rest = scope["path"].removeprefix("/").partition("/")
        model, exchange = self.named.get(name), exchange_of(scope)
        exchange.model = (model or self.first).name
        if model is None:
            exchange.path = "other" if name or slash else "/"
            await self._routers[self.first](scope, receive, send)
        elif slash:
            exchange.path = "other" if rest else "/"
            below = {**scope, "root_path": f"{scope.get('root_path', '')}/{name}"}
            await self._routers[model](below, receive, send)
        else:
            await RedirectResponse(f"{name}/", 308)(scope, receive, send)  # relative: whatever stands before it stays

    def _router(self, model: ServedModel) -> Router:
        return Router(self.routes(model), redirect_slashes=False)
