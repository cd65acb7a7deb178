"""Origins whose pages may ask this server from a browser -> the settings of Starlette's middleware for that."""

import re
from collections.abc import Sequence
from typing import Any

from ursa.core.text import escaped
from ursa.errors import DataError

_ORIGIN = re.compile(r"https?://(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?")
KEPT = 600  # s for which a browser need not ask again whether it may ask


def cors_options(origins: Sequence[str]) -> dict[str, Any]:
    """Exact origins, or "*" for all. Raises DataError for what a browser would never send as one.

    Cookies are not allowed, as there are none: a page elsewhere sends its key itself.
    """
    for origin in origins:
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise DataError(
                "this is no origin of a page",
                found=escaped(origin),
                fix="as in --cors-origin https://bears.example.com, in small letters, without a path; or '*' for all",
            )
    return {
        "allow_origins": list(origins),
        "allow_methods": ["GET", "POST"],
        "allow_headers": ["Authorization", "X-API-Key", "X-Request-ID", "Content-Type"],
        "expose_headers": ["X-Request-ID", "Retry-After"],
        "max_age": KEPT,
    }
