"""What one request, one client and all of them together may ask of a server."""

import math
import os
from dataclasses import dataclass, field

from ursa.core.threads import cores as usable_cores
from ursa.errors import DataError

DESCRIPTORS = 64  # kept for what is no connection: the listener, the log, pipes to decoders, libraries


@dataclass(frozen=True)
class ServerLimits:
    """Bytes, seconds and counts.

    Memory for what was sent stays below `2 * max_memory + max_connections * 0.4 MB`; what is decoded takes up to 240 MB
    and its working copies in each of up to `2 * cores` threads (`image.MAX_PIXELS`).
    """

    max_bytes: int = 20_000_000  # of one request
    max_pictures: int = 64  # in one request; so many parts of a form, whatever is in them
    max_memory: int = 200_000_000  # bytes of bodies that are being received, wait or are worked on

    cores: int = field(default_factory=usable_cores)  # pictures worked on at once; and slow ones beside them
    waiting: int = 64  # requests, whole, that may wait for a core; then one is answered 503

    rate: float | None = None  # pictures a minute of one client, where that is limited

    max_connections: int = 1000  # open at once; fewer where the system allows fewer open files
    header_timeout: float = 10.0  # s from opening, or from the answer before, to the end of a request's header
    keep_alive: float = 5.0  # s of silence after an answer
    body_timeout: float = 300.0  # s for a body in all
    min_rate: int = 4_000  # bytes a second, on average over each `grace` (20 kB/s is a bad mobile network)
    grace: float = 10.0  # s in which each `grace * min_rate` bytes of a body have to come, and the last of them
    write_timeout: float = 30.0  # s in which a client takes some of an answer
    linger: float = 5.0  # s for which a refused body is still read and thrown away, so that the answer is seen
    linger_bytes: int = 80_000_000  # and so many bytes of it

    decoding: float = 4.0  # s of computing for a picture
    offenses: int = 3  # pictures of one client that end or overrun their decoder until it has to wait
    penalty: float = 10.0  # s to wait then; doubled each time up to `max_penalty`
    max_penalty: float = 600.0  # s; after so long without another one, all is forgotten

    def __post_init__(self) -> None:
        """Raises DataError for what people may set and no server can keep."""
        if self.max_bytes < 1:
            raise DataError("a picture needs some bytes", found=f"--max-mb {self.max_bytes / 1e6:g}", fix="--max-mb 20")
        if self.waiting < 0:
            raise DataError("a queue has a length", found=f"--max-queue {self.waiting}", fix="--max-queue 64")
        if self.rate is not None and not (math.isfinite(self.rate) and self.rate > 0):
            raise DataError("a rate is a number of pictures a minute", found=f"--rate {self.rate:g}", fix="--rate 60")

    @property
    def stretch(self) -> int:
        """Bytes that have to come in each `grace`."""
        return max(1, round(self.grace * self.min_rate))


def connections(wanted: int) -> int:
    """So many of these as there are file descriptors for, at least 8."""
    if os.name != "posix":
        return wanted
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return wanted if soft == resource.RLIM_INFINITY else max(8, min(wanted, soft - DESCRIPTORS))
