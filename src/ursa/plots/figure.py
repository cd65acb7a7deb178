"""What all figures share: the Figure itself, colours, and text that fits where it stands.

Widths are those of a phone held upright: 5 inches with text of 8 to 10 points stay legible at 390 px.
"""

import functools
import io
import itertools
import math
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib.figure
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.ft2font import FT2Font
from matplotlib.ticker import Formatter

from ursa import workspace
from ursa.errors import DataError, did_you_mean

WIDTH = 5.0  # inches
DPI = 200
POINTS = 72  # an inch

INK, MUTED, RULE, PAPER = "#1f2328", "#59636e", "#d1d9e0", "#ffffff"
# Okabe and Ito 2008, "Color Universal Design": apart for every kind of colour vision.
BLUE, SKY, GREEN, ORANGE, RED = "#0072b2", "#56b4e9", "#009e73", "#e69f00", "#d55e00"
PURPLE = "#cc79a7"
GRAY = "#c4cad0"

FORMATS = ("png", "svg", "pdf", "jpg", "jpeg", "webp")

# Fonts beside the one that matplotlib brings along, for names in other scripts, where one is installed.
_OTHERS: tuple[str, ...] = (
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Hiragino Sans",
    "PingFang SC",
    "Yu Gothic",
    "Microsoft YaHei",
)
_OTHERS += ("Malgun Gothic", "Apple SD Gothic Neo", "WenQuanYi Micro Hei", "Noto Sans Arabic", "Arial Unicode MS")
MISSING = "\N{WHITE SQUARE}"


# Colours of the numbers for red, green and blue, on dark and on light pixels, the most colourful first: the first that
# stands out enough is taken, and black or white stay for pixels as colourful as the numbers.
TINTS = (
    ("#ff8f87", "#5ee37d", "#9db8ff"),
    ("#a40e26", "#116329", "#0a3fae"),
    ("#ffd0cc", "#b8f5c6", "#d3dfff"),
    ("#5c0011", "#053d16", "#002066"),
    ("#ffffff",) * 3,
    ("#000000",) * 3,
)
READABLE = 4.5  # contrast of text, WCAG 2.2, level AA


class Figure(matplotlib.figure.Figure):
    """matplotlib's figure that shows itself in a notebook and writes itself whole."""

    def __init__(self, width: float = WIDTH, height: float = WIDTH) -> None:
        super().__init__(figsize=(width, height), dpi=DPI, facecolor=PAPER)
        FigureCanvasAgg(self)

    def __repr__(self) -> str:
        wide, high = self.get_size_inches()
        return f"<Figure of {wide:.3g} x {high:.3g} inches: .save('figure.png') writes it, a notebook shows it>"

    def png(self) -> bytes:
        """The figure as a PNG file."""
        return self._as("png")

    def save(self, path: str | Path) -> Path:
        """Write it as PNG, SVG, PDF, JPEG or WebP, by the ending of the name. Raises DataError for another one."""
        path = Path(path)
        content = self._as(format_of(path))
        with workspace.writing(path, "--out FILE") as file:
            file.write(content)
        return path

    def _repr_png_(self) -> bytes:
        """For notebooks, which show no figure by itself that pyplot has not made."""
        return self.png()

    def _as(self, format: str) -> bytes:
        buffer = io.BytesIO()
        dated = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(format)
        self.savefig(buffer, format=format, dpi=DPI, facecolor=PAPER, metadata=dated)
        return buffer.getvalue()


def format_of(path: Path) -> str:
    """One of FORMATS, by the ending of a name. Raises DataError for another one: before what takes time, if asked."""
    ending = path.suffix.lower().removeprefix(".")
    if ending not in FORMATS:
        raise DataError(
            f"figures are not written as {path.suffix or 'a file without an ending'}",
            found=str(path),
            fix=did_you_mean(ending, FORMATS) if ending else f"name it {path}.png",
        )
    return ending


def place(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """Axes at a place given in inches from the upper left corner of the figure, without frame and ticks."""
    wide, high = figure.get_size_inches()
    axes = figure.add_axes((left / wide, 1 - (top + height) / high, width / wide, height / high))
    axes.set_facecolor(PAPER)
    axes.set_axis_off()
    return axes


def dress(axes: Axes, across: str = "", up: str = "") -> None:
    """Labels with units, two quiet lines instead of a box."""
    axes.set_xlabel(across, **lettering(9, MUTED))
    axes.set_ylabel(up, **lettering(9, MUTED))
    axes.tick_params(length=3, color=RULE, labelsize=8.5, labelcolor=INK, labelfontfamily="DejaVu Sans")
    for edge, line in axes.spines.items():
        line.set(visible=edge in ("left", "bottom"), color=RULE)


def write(figure: Figure, left: float, top: float, text: str, **style: Any) -> None:
    """Text whose first line's upper left corner is at this place, in inches from the figure's upper left corner."""
    wide, high = figure.get_size_inches()
    figure.text(left / wide, 1 - top / high, drawable(text), **{"va": "top", **lettering(**style)})


def lettering(size: float = 9, color: str = INK, **style: Any) -> dict[str, Any]:
    """The settings of every text: our fonts, and no mathematics read into the dollars of a file name."""
    return {"fontsize": size, "color": color, "family": _families(), "parse_math": False, **style}


def fit(text: str, inches: float, size: float = 9, *, bold: bool = False) -> str:
    """The text as it can be drawn, shortened in its middle until it is no wider: `IMG_2024…final.jpg`."""
    text, inches = drawable(text), inches / 1.14 if bold else inches
    if width_of(text, size) <= inches:
        return text
    for kept in range(len(text) - 1, 1, -1):
        tail = kept // 2
        shorter = f"{text[: kept - tail]}…{text[len(text) - tail :]}"
        if width_of(shorter, size) <= inches:
            return shorter
    return "…"


def width_of(text: str, size: float = 9) -> float:
    """Inches that a line of text takes."""
    return sum(map(_advance, text)) * size / POINTS


def drawable(text: str) -> str:
    """The text with an empty square for every character that no font here has, line ends too."""
    return "".join(letter if _has(letter) else MISSING for letter in text)


class TickNumbers(Formatter):
    """The numbers at an axis, with as many digits as it takes to tell them apart, `digits` at least."""

    def __init__(self, digits: int) -> None:
        self.digits = digits

    def __call__(self, value: float, _: int | None = None) -> str:
        """A number by itself."""
        return f"{value:.{self.digits}g}"

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        """All numbers of the axis, each within a hundredth of a step."""
        steps = [abs(b - a) for a, b in itertools.pairwise(sorted(map(float, values))) if b != a]
        off = 0.01 * min(steps, default=math.inf)
        for digits in range(self.digits, 17):
            texts = [f"{value:.{digits}g}" for value in values]
            if all(abs(float(text) - value) <= off for text, value in zip(texts, values, strict=True)):
                break
        return texts


def ink_on(color: Sequence[float]) -> str:
    """Black or white, whichever stands out more on a colour (red, green, blue from 0 to 255)."""
    return max("#000000", "#ffffff", key=lambda ink: contrast(color, rgb(ink)))


def tints_on(color: Sequence[float]) -> tuple[str, str, str]:
    """Readable colours for the numbers of red, green and blue on a pixel (0 to 255)."""
    return next(tints for tints in TINTS if all(contrast(color, rgb(tint)) >= READABLE for tint in tints))


def contrast(one: Sequence[float], other: Sequence[float]) -> float:
    """1 to 21: the contrast ratio of two colours (0 to 255), by WCAG 2.2."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def rgb(color: str) -> tuple[int, int, int]:
    """As "#0072b2" -> (0, 114, 178)."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _luminance(color: Sequence[float]) -> float:
    linear = [c / 3294.6 if c <= 10.31 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in map(float, color)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@functools.cache
def _families() -> list[str]:
    there = {font.name for font in font_manager.fontManager.ttflist}
    return ["DejaVu Sans", *(name for name in _OTHERS if name in there)]


@functools.cache
def _fonts() -> list[FT2Font]:
    return [font_manager.get_font(font_manager.findfont(family)) for family in _families()]


@functools.cache
def _charmaps() -> list[frozenset[int]]:
    return [frozenset(font.get_charmap()) for font in _fonts()]


@functools.cache
def _has(letter: str) -> bool:
    return letter.isprintable() and any(ord(letter) in known for known in _charmaps())


@functools.cache
def _advance(letter: str) -> float:
    """The width of a character in units of the font size."""
    if ord(letter) not in _charmaps()[0]:
        return 1.0 if unicodedata.east_asian_width(letter) in "WF" else 0.7
    path = font_manager.findfont("DejaVu Sans")
    font = FT2Font(path)  # one of our own: the shared one is being drawn with, maybe in another thread
    font.set_size(100, POINTS)
    return float(font.load_char(ord(letter)).linearHoriAdvance) / 65536 / 100
