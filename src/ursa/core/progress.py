"""How far long work is: told by whoever does it, shown by whoever started it."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]  # phase, done, of


def silent(phase: str, done: int, of: int) -> None:
    """A Progress that says nothing."""
