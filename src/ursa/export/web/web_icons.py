"""The page's icon as PNG files, drawn: what phones show where a page is installed. As `serve/page/assets/icon.svg`."""

import io

from PIL import Image, ImageDraw

BLUE, WHITE, YELLOW = "#1d5478", "#ffffff", "#f7cf6a"
FINE = 4  # times larger drawn than shown


def icon(side: int, *, full: bool = False) -> bytes:
    """A PNG of side x side pixels. full: to the edge, for systems that cut their own shape."""
    size = side * FINE
    unit = size / 32 * (0.8 if full else 1)
    image = Image.new("RGBA", (size, size), BLUE if full else (0, 0, 0, 0))
    pen = ImageDraw.Draw(image)
    if not full:
        pen.rounded_rectangle((0, 0, size - 1, size - 1), 8 * unit, BLUE)
    shift = (size - 32 * unit) / 2

    def at(x: float, y: float) -> tuple[float, float]:
        return shift + x * unit, shift + y * unit

    hills = [at(7, 21.8), at(14, 16), at(18, 19), at(21, 17), at(25.2, 21.2)]  # their ends lie below the frame
    pen.line(hills, WHITE, round(2 * unit), joint="curve")
    pen.rounded_rectangle((*at(6, 7), *at(26, 25)), 4 * unit, outline=WHITE, width=round(2 * unit))
    pen.circle(at(12.5, 13), 1.8 * unit, YELLOW)
    buffer = io.BytesIO()
    image.resize((side, side), Image.Resampling.BOX).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()
