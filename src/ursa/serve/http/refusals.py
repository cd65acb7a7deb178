"""Requests that are not answered as asked: status, JSON `{"error", "found", "fix"}`, headers."""

from math import ceil

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ursa.errors import DataError, UrsaError


class RefusedError(Exception):
    """A request that is not answered as asked: the status and what to say."""

    def __init__(self, status: int, error: UrsaError, **headers: str) -> None:
        super().__init__(error.what)
        self.status, self.error, self.headers = status, error, headers


def busy(what: str, found: str) -> RefusedError:
    """503: the same request may go well later."""
    return RefusedError(503, DataError(f"busy: {what}", found=found, fix="try again soon"), **{"retry-after": "2"})


def too_many_offenses(seconds: float) -> RefusedError:
    """429: pictures from there ended or overran their decoders."""
    wait = str(ceil(seconds))
    error = DataError(
        "too many harmful pictures came from this address",
        found="pictures that crash their decoder or take too long",
        fix=f"wait {wait} s, and send other pictures",
    )
    return RefusedError(429, error, **{"retry-after": wait})


def too_large(found: str, max_bytes: int) -> RefusedError:
    """413."""
    fix = f"send at most {max_bytes / 1e6:g} MB at once; any picture editor can make it smaller"
    return RefusedError(413, DataError("too large", found=found, fix=fix))


async def answer(_: Request, problem: Exception) -> Response:
    """The exception handler of Starlette for `RefusedError`."""
    if not isinstance(problem, RefusedError):
        raise problem
    # The rest of a refused body is not read, so the connection cannot carry another request.
    return JSONResponse(problem.error.to_json(), problem.status, {**problem.headers, "connection": "close"})
