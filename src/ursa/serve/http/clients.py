"""Who asks: a client is an address; what each of them holds, and which of them did harm.

Nobody has a fixed share, since behind a proxy or a school's one address all are one client. Instead, where something
runs out, the client that holds most of it gives some back.
"""

import functools
import ipaddress
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

Holder = TypeVar("Holder")

REMEMBERED = 4096  # clients that did harm


@functools.lru_cache(REMEMBERED)
def client_of(address: str | None) -> str:
    """An IPv4 address, or the /64 network of an IPv6 address, of which whoever has one has all."""
    try:
        ip = ipaddress.ip_address(address or "")
    except ValueError:
        return address or "unknown"
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    return str(ip.ipv4_mapped or ipaddress.IPv6Network((int(ip) >> 64 << 64, 64)))


class Shares(Generic[Holder]):
    """Who holds how much of something of which there is only so much. Holders keep the order in which they came."""

    def __init__(self, total: int) -> None:
        self.total, self.taken = total, 0
        self._held: dict[str, dict[Holder, int]] = {}
        self._sums: dict[str, int] = {}

    def add(self, client: str, holder: Holder, amount: int = 1) -> None:
        """The holder, new or known, holds so much more."""
        held = self._held.setdefault(client, {})
        held[holder] = held.get(holder, 0) + amount
        self._sums[client] = self._sums.get(client, 0) + amount
        self.taken += amount

    def drop(self, client: str, holder: Holder) -> None:
        """All that it held is free; nothing happens for an unknown holder."""
        held = self._held.get(client, {})
        if holder not in held:
            return
        amount = held.pop(holder)
        self._sums[client] -= amount
        self.taken -= amount
        if not held:
            del self._held[client], self._sums[client]

    def of(self, client: str) -> int:
        """What this client holds in all."""
        return self._sums.get(client, 0)

    def held(self, client: str, holder: Holder) -> int:
        """What this holder holds."""
        return self._held.get(client, {}).get(holder, 0)

    def holders(self, client: str) -> list[Holder]:
        """This client's, in the order in which they came."""
        return list(self._held.get(client, ()))

    def clients(self) -> list[str]:
        """All that hold something, the one that holds most first."""
        return sorted(self._sums, key=self._sums.__getitem__, reverse=True)


@dataclass
class _Record:
    offenses: int
    last: float
    until: float


class Offenders:
    """Clients whose pictures ended or overran their decoders: after some of them, each costs a growing time to wait."""

    def __init__(
        self, allowed: int, penalty: float, longest: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.allowed, self.penalty, self.longest, self.clock = allowed, penalty, longest, clock
        self._records: OrderedDict[str, _Record] = OrderedDict()

    def wait(self, client: str) -> float:
        """Seconds until this client may ask again; 0 for nearly all."""
        record = self._records.get(client)
        return max(0.0, record.until - self.clock()) if record else 0.0

    def note(self, client: str) -> None:
        """One more offense. The memory is bounded: who did harm longest ago is forgotten first."""
        now = self.clock()
        record = self._records.pop(client, None)
        if record is None or now > max(record.until, record.last) + self.longest:
            record = _Record(0, now, 0.0)
        record.offenses, record.last = record.offenses + 1, now
        if record.offenses >= self.allowed:
            doublings = min(record.offenses - self.allowed, 30)
            record.until = now + min(self.penalty * 2**doublings, self.longest)
        self._records[client] = record
        while len(self._records) > REMEMBERED:
            self._records.popitem(last=False)
