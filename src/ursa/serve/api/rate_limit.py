"""So many pictures a minute for each client: a token bucket (as nginx's limit_req, counted in pictures)."""

import time
from collections import OrderedDict
from collections.abc import Callable

from ursa.errors import DataError
from ursa.serve.http.clients import REMEMBERED
from ursa.serve.http.refusals import RefusedError, retry_after


class RateLimiter:
    """A bucket a client holds a minute's pictures, and fills evenly.

    A request may take more than is left, as its pictures are counted when they have come: the next one waits longer.
    So the largest request is answered whatever the rate.
    """

    def __init__(self, rate: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        """rate: pictures a minute."""
        self.rate, self.clock = rate, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens, and when it held so many

    def require(self, client: str) -> None:
        """Raises RefusedError 429 for who has none left."""
        left = self._left(client)
        if left < 1 and left < self.rate:  # at less than one a minute, a full bucket is enough
            seconds = (min(1.0, self.rate) - left) * 60 / self.rate
            error = DataError(
                "too many pictures came from this address", found=f"more than {self.rate:g} a minute", fix="wait"
            )
            raise RefusedError(429, error, reason="rate", **retry_after(seconds))

    def take(self, client: str, pictures: int) -> None:
        """So many have come. Raises RefusedError 429 where others of this client, sent meanwhile, left none."""
        self.require(client)
        self._buckets[client] = self._left(client) - pictures, self.clock()
        self._buckets.move_to_end(client)
        while len(self._buckets) > REMEMBERED:
            self._buckets.popitem(last=False)

    def _left(self, client: str) -> float:
        left, since = self._buckets.get(client, (self.rate, 0.0))
        return min(self.rate, left + (self.clock() - since) * self.rate / 60)
