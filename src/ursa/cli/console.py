"""Rich's console, through which no text from outside moves the cursor or brings markup of its own."""

from collections.abc import Iterable
from typing import Any

import rich.console
from rich.console import ConsoleOptions, RenderableType
from rich.markup import escape
from rich.segment import Segment

from ursa.core.text import escaped


class Console(rich.console.Console):
    """Prints as Rich does, less its guesses about names: no highlights, no `:bear:` for a bear."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(highlight=False, emoji=False, **settings)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """What reaches the terminal, each control character that is not Rich's own as its code.

        Names are escaped before (`plain`), so that columns are as wide as what is printed: this catches the rest.
        """
        for segment in super().render(renderable, options):
            known = segment.control or segment.text.isprintable()
            yield segment if known else segment._replace(text=escaped(segment.text, lines=True))


def plain(text: object) -> str:
    r"""Text from outside, as a part of Rich's markup: on one line, control characters as \x1b, brackets as they are."""
    marked = escape(escaped(text))
    ends = len(marked) - len(marked.rstrip("\\"))
    return marked + "\\" if ends % 2 else marked  # an odd one would take away the meaning of a tag of ours after it
