"""Whether new requests should be sent here: not before the first picture went through, nor once the end has begun."""

from dataclasses import dataclass


@dataclass
class Readiness:
    """Of one server; `/ready` reads it."""

    warm: bool = False
    leaving: bool = False

    @property
    def problem(self) -> str | None:
        """Why not, if not."""
        if self.leaving:
            return "shutting down"
        return None if self.warm else "starting"

    def leave(self) -> None:
        """The end has begun."""
        self.leaving = True
