"""Requests that are not answered as asked: status, JSON `{"error", "found", "fix"}`, headers."""

from math import ceil

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ursa.errors import DataError, UrsaError
from ursa.serve.http.exchange import exchange_of


class RefusedError(Exception):
    """A request that is not answered as asked: the status and what to say."""

    def __init__(self, status: int, error: UrsaError, *, reason: str = "", **headers: str) -> None:
        """reason: one word for those who count refusals, where the status does not tell it."""
        super().__init__(error.what)
        self.status, self.error, self.reason, self.headers = status, error, reason, headers


def busy(what: str, found: str, reason: str) -> RefusedError:
    """503: the same request may go well later."""
    error = DataError(f"busy: {what}", found=found, fix="try again soon")
    return RefusedError(503, error, reason=reason, **retry_after(2))


def retry_after(seconds: float) -> dict[str, str]:
    """The header that says how long to wait: whole seconds, at least one."""
    return {"retry-after": str(max(1, ceil(seconds)))}


def too_many_offenses(seconds: float) -> RefusedError:
    """429: pictures from there ended or overran their decoders."""
    headers = retry_after(seconds)
    error = DataError(
        "too many harmful pictures came from this address",
        found="pictures that crash their decoder or take too long",
        fix=f"wait {headers['retry-after']} s, and send other pictures",
    )
    return RefusedError(429, error, reason="harmful_pictures", **headers)


def too_large(found: str, max_bytes: int) -> RefusedError:
    """413."""
    fix = f"send at most {max_bytes / 1e6:g} MB at once; any picture editor can make it smaller"
    return RefusedError(413, DataError("too large", found=found, fix=fix))


async def answer(request: Request, problem: Exception) -> Response:
    """The exception handler of Starlette for `RefusedError`."""
    if not isinstance(problem, RefusedError):
        raise problem
    exchange_of(request.scope).refused = problem.reason
    # The rest of a refused body is not read, so the connection cannot carry another request.
    return JSONResponse(problem.error.to_json(), problem.status, {**problem.headers, "connection": "close"})
