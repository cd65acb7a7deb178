"""Pictures -> text for a terminal: half blocks, two pixels a character; letters where it has no colors.

Finer ways (kitty, iTerm2, sixel) are left to files: which of them a terminal knows is told for certain only by asking
it, and an answer that does not come, or comes late, would hang the command or end up in the user's next line.
"""

from typing import TYPE_CHECKING

from rich.color import Color
from rich.style import Style
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import Console

    from ursa.core.decoding.image import Pixels

SHADES = "@%#*+=-:. "  # dark to light, on a light ground


def has_colors(console: "Console") -> bool:
    """Whether half blocks would be seen on it: a terminal, with colors, that nobody asked to do without."""
    return console.is_terminal and not console.is_dumb_terminal and not console.no_color and bool(console.color_system)


def picture(pixels: "Pixels", console: "Console", columns: int) -> Text:
    """pixels [h, w, 3] -> the picture as this console shows it, `columns` characters wide."""
    return blocks(pixels, columns) if console.color_system else letters(pixels, columns)


def blocks(pixels: "Pixels", columns: int) -> Text:
    """pixels [h, w, 3] -> half blocks, two pixels a character, at most `columns` wide; a small one is enlarged."""
    lines = []
    small = _scaled(pixels, columns)
    for top in range(0, len(small), 2):
        line = Text(no_wrap=True)
        lower = small[top + 1].tolist() if top + 1 < len(small) else [None] * small.shape[1]
        for above, below in zip(small[top].tolist(), lower, strict=True):
            ground = None if below is None else Color.from_rgb(*below)
            line.append("▀", Style(color=Color.from_rgb(*above), bgcolor=ground))
        lines.append(line)
    return Text("\n", no_wrap=True).join(lines)


def letters(pixels: "Pixels", columns: int) -> Text:
    """pixels [h, w, 3] -> a letter for two pixels, the darker the fuller."""
    small = _scaled(pixels, columns).mean(2)
    rows = [small[top : top + 2].mean(0) for top in range(0, len(small), 2)]
    lines = ("".join(SHADES[int(level) * len(SHADES) // 256] for level in row) for row in rows)
    return Text("\n".join(lines), no_wrap=True)


def _scaled(pixels: "Pixels", columns: int) -> "Pixels":
    """Its longer side at most `columns`; small pictures by whole times, so that their pixels stay squares."""
    from ursa.core.prepare import resize

    height, width = pixels.shape[:2]
    if max(width, height) <= columns // 2:
        times = columns // max(width, height)
        return pixels.repeat(times, 0).repeat(times, 1)
    scale = columns / max(width, height)
    return resize(pixels, max(1, round(width * scale)), max(1, round(height * scale)))
