"""The caller's side of one worker: bytes go in, pictures or refusals come out, in the order in which they were sent.

Several pictures may be on their way, each in its own slot of the shared memory: while the caller uses one, the next
ones are decoded, and nobody waits for the system to switch from one process to the other.
"""

from ursa.core import picture_file
from ursa.core.decoding.image import Pixels
from ursa.errors import DataError
from ursa.sandbox import process, protocol
from ursa.sandbox.process import Server, Started
from ursa.sandbox.protocol import Decoded, Request
from ursa.sandbox.shared_memory import MemoryBudget

HEAVY = 512 << 20  # bytes that a picture may take until its worker is replaced, as its heap has grown


class EndedError(Exception):
    """A worker ended, or was ended, in mid-picture."""

    def __init__(self, refusal: DataError, *, too_long: bool = False) -> None:
        super().__init__(refusal.what)
        self.refusal, self.too_long = refusal, too_long


class Client:
    """A worker in the hands of one thread."""

    def __init__(self, worker: Started, server: Server, budget: MemoryBudget, wall: float) -> None:
        """wall: seconds on the clock after which a worker that does not answer is ended."""
        self.worker, self.server, self.budget, self.wall = worker, server, budget, wall
        self._sent = 0  # requests without an answer
        self.lost = False  # whether requests went with a worker that ended; until the caller has sent them again
        self._dead = self._heavy = False
        worker.connection.settimeout(wall)

    @property
    def sound(self) -> bool:
        """Whether the worker can be lent to another thread."""
        return not (self._sent or self._dead or self._heavy)

    def send(self, data: bytes, request: Request) -> None:
        """Ask for a picture, of a fresh worker if the last one has ended. Raises DataError for too large a file."""
        if len(data) > picture_file.MAX_BYTES:
            raise DataError(f"too large: a file of {len(data):,} bytes, the limit is {picture_file.MAX_BYTES:,}")
        if self._dead:
            self.end()
            self.worker = self.server.start()
            self.worker.connection.settimeout(self.wall)
            self._dead = self._heavy = False
        self._sent += 1
        place = request.slot * protocol.SLOT
        self.worker.shared.bytes[place : place + len(data)] = data
        try:
            self.worker.connection.sendall(request.pack())
        except OSError:  # it has ended: `receive` finds out why
            return

    def receive(self, request: Request) -> Decoded:
        """The answer to the first request without one. Raises DataError for a refusal, EndedError for a dead worker."""
        try:
            reply = self._reply()
            if not isinstance(reply, Decoded) and reply[0] == protocol.NEEDS:
                self._heavy = self._heavy or reply[1] > HEAVY
                with self.budget.hold(reply[1]):
                    self.worker.connection.sendall(protocol.GO)
                    reply = self._reply()
            if isinstance(reply, Decoded):
                self._sent -= 1
                return reply
            if reply[0] != protocol.REFUSED:
                raise ValueError("a second question")
            place = request.slot * protocol.SLOT + protocol.ROOM_IN
            what, found, fix = protocol.refusal(self.worker.shared.bytes[place : place + reply[1]])
        except TimeoutError:
            self._forget()
            self.server.end(self.worker, patience=0)
            raise EndedError(_timed_out(f"{self.wall:g} s"), too_long=True) from None
        except (OSError, ValueError) as problem:
            self._forget()
            raise self._ended(problem, request.seconds) from None
        self._sent -= 1
        raise DataError(what, found=found, fix=fix)

    def pixels(self, found: Decoded, slot: int) -> Pixels:
        """Where they lie: [h, w, 3], until the next picture is sent to this slot."""
        return self.worker.shared.pixels(slot, found.rows, found.columns)

    def end(self) -> None:
        """End the worker, if it has not ended."""
        self.server.end(self.worker)
        self.worker.shared.close()

    def _reply(self) -> Decoded | tuple[int, int]:
        message = protocol.receive(self.worker.connection, protocol.REPLY_SIZE)
        if len(message) < protocol.REPLY_SIZE:
            raise ConnectionResetError("the worker has gone")
        return protocol.unpack(message)

    def _forget(self) -> None:
        """What was sent to a worker that ended is lost."""
        self._dead, self._sent, self.lost = True, 0, True

    def _ended(self, problem: Exception, seconds: float) -> EndedError:
        status = self.server.end(self.worker)
        if process.ran_out_of_time(status):
            return EndedError(_timed_out(f"{seconds:g} s of computing"), too_long=True)
        how = process.told(status)
        return EndedError(crashed(how if isinstance(problem, OSError) else f"{how}, {problem}"))


def crashed(how: str) -> DataError:
    """The refusal of a picture that ends its decoder."""
    return DataError(
        f"crashes its decoder: {how}", fix="remove the file; do not open it in programs that you want to keep running"
    )


def _timed_out(limit: str) -> DataError:
    return DataError(f"takes too long: decoding took over {limit}", fix="save it again with any picture editor")
