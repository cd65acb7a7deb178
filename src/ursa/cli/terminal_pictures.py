"""Pictures -> what a terminal draws them from: kitty's and iTerm2's protocols, sixel, or coloured half blocks.

Which one is told by the environment that terminals set, never by asking the terminal: an answer that does not come, or
comes late, would hang the command or end up in the user's next line.
"""

import base64
import io
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from rich.color import Color
from rich.segment import Segment, Segments
from rich.style import Style

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from rich.console import Console

    from ursa.core.decoding.image import Pixels

WAYS = ("kitty", "iterm2", "sixel", "blocks", "none")

CHUNK = 4096  # letters of base64 in one command (kitty's documentation of its protocol, "Remote client")
COLUMNS = 80  # a figure is no wider than this many characters


def way(environment: Mapping[str, str], console: "Console") -> str:
    """One of WAYS: the best way in which the terminal behind this console can show pictures."""
    if not console.is_terminal or console.is_dumb_terminal:
        return "none"
    return protocol(environment) or ("blocks" if console.color_system and not console.no_color else "none")


def protocol(environment: Mapping[str, str]) -> str | None:
    """The terminal's protocol for pictures, by the variables that it sets; None for an unknown one."""
    term, program = environment.get("TERM", ""), environment.get("TERM_PROGRAM", "")
    if "TMUX" in environment or "STY" in environment or term.startswith(("screen", "tmux")):
        return None  # a multiplexer stands between, and would have to let pictures through
    if "KITTY_WINDOW_ID" in environment or term in ("xterm-kitty", "xterm-ghostty") or program == "ghostty":
        return "kitty"
    konsole = environment.get("KONSOLE_VERSION", "")
    if konsole.isdigit():
        return "iterm2" if int(konsole) >= 220400 else None
    if program in ("iTerm.app", "WezTerm", "mintty") or environment.get("LC_TERMINAL") == "iTerm2":
        return "iterm2"
    if "sixel" in term or term in ("foot", "foot-extra", "mlterm", "contour"):
        return "sixel"
    return None


def drawn(png: bytes, how: str, columns: int = COLUMNS) -> str:
    """A PNG file -> the text that makes a terminal draw it, `columns` characters wide. how: one of the protocols."""
    if how == "kitty":
        return kitty(png, columns)
    if how == "iterm2":
        return iterm2(png, columns)
    import numpy as np
    from PIL import Image

    from ursa.plots.reading import shrunk

    return sixel(shrunk(np.asarray(Image.open(io.BytesIO(png)).convert("RGB")), columns * 10))


def kitty(png: bytes, columns: int) -> str:
    """https://sw.kovidgoyal.net/kitty/graphics-protocol/: a=T show it now, f=100 PNG, q=2 send no answer."""
    text = base64.standard_b64encode(png).decode()
    parts = [text[start : start + CHUNK] for start in range(0, len(text), CHUNK)]
    commands = []
    for place, part in enumerate(parts):
        keys = f"a=T,f=100,q=2,c={columns}," if place == 0 else "q=2,"
        commands.append(f"\033_G{keys}m={int(place < len(parts) - 1)};{part}\033\\")
    return "".join(commands) + "\n"


def iterm2(png: bytes, columns: int) -> str:
    """https://iterm2.com/documentation-images.html"""
    text = base64.standard_b64encode(png).decode()
    return f"\033]1337;File=inline=1;size={len(png)};width={columns};preserveAspectRatio=1:{text}\a\n"


def sixel(pixels: "Pixels") -> str:
    """pixels [h, w, 3] -> DEC's six-pixel strips (VT330/VT340 Programmer Reference, 14), 255 colours."""
    import numpy as np
    from PIL import Image

    height, width = pixels.shape[:2]
    image = Image.fromarray(pixels).quantize(255, dither=Image.Dither.FLOYDSTEINBERG)
    indices = np.asarray(image)
    colors = np.array(image.getpalette() or [], np.int64).reshape(-1, 3)[: int(indices.max()) + 1]
    shares = ";".join  # each colour in percent
    head = "".join(
        f"#{number};2;{shares(str(round(value / 2.55)) for value in color)}" for number, color in enumerate(colors)
    )
    padded = np.vstack([indices, np.full((-height % 6, width), 255, indices.dtype)])  # 255 is no colour of ours
    strips = "-".join(_strip(padded[top : top + 6]) for top in range(0, len(padded), 6))
    return f'\033Pq"1;1;{width};{height}{head}{strips}\033\\\n'


def blocks(pixels: "Pixels", columns: int) -> Segments:
    """pixels [h, w, 3] -> half blocks, two pixels a character, at most `columns` wide; a small one is enlarged."""
    from ursa.core.prepare import resize

    height, width = pixels.shape[:2]
    if max(width, height) <= columns // 2:
        times = columns // max(width, height)
        small = pixels.repeat(times, 0).repeat(times, 1)
    else:
        scale = columns / max(width, height)
        small = resize(pixels, max(1, round(width * scale)), max(1, round(height * scale)))
    return Segments(_half_blocks(small))


def _half_blocks(pixels: "Pixels") -> Iterator[Segment]:
    for top in range(0, len(pixels), 2):
        lower = pixels[top + 1].tolist() if top + 1 < len(pixels) else [None] * pixels.shape[1]
        for above, below in zip(pixels[top].tolist(), lower, strict=True):
            ground = None if below is None else Color.from_rgb(*below)
            yield Segment("▀", Style(color=Color.from_rgb(*above), bgcolor=ground))
        yield Segment.line()


def _strip(indices: "npt.NDArray[np.uint8]") -> str:
    """Six rows of colour numbers -> the strip, colour by colour, repetitions counted."""
    import numpy as np

    bits = (1 << np.arange(6))[:, None]
    lines = []
    for color in np.unique(indices[indices != 255]).tolist():
        letters = ((indices == color) * bits).sum(0) + 63
        edges = np.flatnonzero(np.diff(letters)) + 1
        starts, ends = [0, *edges.tolist()], [*edges.tolist(), len(letters)]
        runs = ((chr(letters[start]), end - start) for start, end in zip(starts, ends, strict=True))
        lines.append(f"#{color}" + "".join(letter * n if n < 4 else f"!{n}{letter}" for letter, n in runs))
    return "$".join(lines)
