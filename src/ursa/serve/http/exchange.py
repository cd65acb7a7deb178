"""What is known of a request and its answer, by all layers that see it."""

from dataclasses import dataclass

from starlette.types import Scope

KEY = "ursa.exchange"  # in the scope


@dataclass(eq=False)
class Exchange:
    """Written by whoever knows; read by the log and by those who count."""

    request_id: str
    model: str = ""  # the name of the model that was asked
    path: str = "other"  # the endpoint, out of those that there are
    refused: str = ""  # why it was not answered as asked, where the status does not tell it
    status: int = 0  # 0 until an answer begins
    sent: int = 0  # bytes of the answer's body


def exchange_of(scope: Scope) -> Exchange:
    """What is known of this request; where nobody keeps it, a note for nobody."""
    found = scope.get(KEY)
    return found if isinstance(found, Exchange) else Exchange("")
