"""What `ursa show` found -> the terminal: pictures in half blocks, counts and facts as text."""

import re
from collections.abc import Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ursa.cli import terminal_pictures
from ursa.cli.console import Console, plain
from ursa.core.finding import KINDS
from ursa.core.text import escaped
from ursa.errors import DataError, did_you_mean
from ursa.plots.reading import UNUSABLE, Tile, size_of
from ursa.workflow.show import Shown

CARD = 26  # characters, the least width of a picture among others
BAR = 30  # characters, the longest bar
LISTED = 30  # classes; --json has more
COLORS = {"train": "blue", "train-dev": "cyan", "valid": "yellow", "test": "green", "": "blue"}


WAYS = ("auto", "blocks", "none")


def way(wanted: str, console: Console) -> str:
    """ "blocks" or "none": what is asked for, or with "auto" what the terminal can show."""
    if wanted == "auto":
        return "blocks" if terminal_pictures.has_colors(console) else "none"
    if wanted not in WAYS:
        raise DataError(
            f"pictures are not drawn by {wanted!r}",
            found=wanted,
            fix=f"{did_you_mean(wanted, WAYS)}; a file has every pixel: --out FILE.png",
        )
    return wanted


def corner(text: str | None) -> tuple[int, int] | None:
    """The text TOP,LEFT -> two numbers. Raises DataError for anything else."""
    if text is None:
        return None
    found = re.fullmatch(r"\s*(\d{1,6})\s*,\s*(\d{1,6})\s*", text)
    if found is None:
        raise DataError("a patch starts at a row and a column", found=text, fix="--patch 100,120")
    return int(found[1]), int(found[2])


def colored(console: Console) -> Console:
    """The same console, if it has colors; else one with all of them, since blocks were asked for by name."""
    if console.color_system:
        return console
    return Console(force_terminal=True, color_system="truecolor", width=console.width)


def shown(result: Shown, console: Console) -> None:
    """Show it on a terminal in half blocks, with its words."""
    if result.what == "patch":
        console.print(_numbers(result.tiles[0]))
    elif result.tiles and result.problem is None:
        console.print(_cards(result.tiles, console))
    told(result, console)


def told(result: Shown, console: Console) -> None:
    """The same in words."""
    facts = result.facts
    if result.what == "picture":
        console.print(_facts(facts))
    elif result.what == "patch":
        console.print(f"[dim]red, green, blue of each pixel, starting at row {facts['top']}, column {facts['left']}[/]")
    elif result.what == "batch":
        console.print(f"[dim]{len(result.tiles)} of {facts['pictures']:,} files, drawn with seed {facts['seed']}[/]")
    elif result.what == "classes":
        console.print(_classes(facts["classes"], facts["pictures"], facts["unreadable"]))
    elif result.what == "sizes":
        console.print(_sizes(facts))


def _cards(tiles: Sequence[Tile], console: Console) -> RenderableType:
    """Pictures side by side, their titles above them."""
    across = min(len(tiles), max(1, console.width // CARD))
    wide = min(console.width // across - 2, 60)
    table = Table.grid(padding=(0, 2, 0, 0))
    for _ in range(across):
        table.add_column(width=wide, overflow="fold")
    for start in range(0, len(tiles), across):
        table.add_row(*(_card(tile, wide) for tile in tiles[start : start + across]))
    return table


def _card(tile: Tile, wide: int) -> Group:
    title = Text(escaped(tile.title), style="bold", no_wrap=True, overflow="ellipsis")
    if tile.pixels is None:
        return Group(title, Text(escaped(tile.problem or "cannot be read"), style="red"), Text())
    return Group(title, terminal_pictures.blocks(tile.pixels, wide), Text())


def _numbers(tile: Tile) -> Table:
    """A patch: a cell a pixel, in its colour, with its numbers."""
    table = Table.grid()
    for row in () if tile.pixels is None else tile.pixels.tolist():
        table.add_row(*(_pixel(color) for color in row))
    return table


def _pixel(color: Sequence[int]) -> Text:
    from ursa.plots.figure import tints_on

    ground = f"on rgb({','.join(map(str, color))})"
    lines = [Text(f"{value:^6}", f"{tint} {ground}") for value, tint in zip(color, tints_on(color), strict=True)]
    return Text("\n").join([*lines, Text(" " * 6, ground)])


def _facts(facts: dict[str, Any]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim")
    rows: list[tuple[str, Any]] = [("picture", plain(facts["picture"])), ("file", size_of(facts["bytes"]))]
    if facts["problem"]:
        rows.append(("problem", f"[red]{plain(facts['problem'])}[/]"))
    else:
        rows += [("format", plain(facts["format"])), ("size", f"{facts['width']:,} × {facts['height']:,} px, upright")]
        rows.append(("EXIF", facts["turned"] or "not rotated"))
        rows.append(("frames", f"{facts['frames']:,}, the first is seen" if facts["frames"] > 1 else "1"))
    if "view" in facts:
        rows.append(("model", f"sees {facts['view']['size']} × {facts['view']['size']} px, {facts['view']['fit']}"))
    for name, value in rows:
        table.add_row(name, str(value))
    return table


def _classes(classes: dict[str, dict[str, int]], pictures: int, unreadable: int) -> RenderableType:
    """Bars in letters, by split; what cannot be read has its part of the bar and is not counted."""
    from ursa.plots.overview import readable

    used = {kind for row in classes.values() for kind in row}
    kinds = [kind for kind in (*COLORS, *sorted(used - set(COLORS))) if kind in used]
    one = "readable" if used <= {"", UNUSABLE} else "no split given"
    most = max(sum(row.values()) for row in classes.values())
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("class", max_width=32, no_wrap=True, overflow="ellipsis")
    table.add_column("pictures", justify="right")
    table.add_column("")
    for name, row in list(classes.items())[:LISTED]:
        bar = Text()
        for kind in kinds:
            bar.append("█" * round(BAR * row.get(kind, 0) / most), style=COLORS.get(kind, "bright_black"))
        table.add_row(Text(escaped(name)), f"{readable(row):,}", bar)
    words = Text()
    for kind in kinds:
        total = sum(row.get(kind, 0) for row in classes.values())
        words.append("█ ", style=COLORS.get(kind, "bright_black"))
        words.append(f"{kind or one} {total:,}   ", style="dim")
    rest = f"\n[dim]and {len(classes) - LISTED:,} more[/]" if len(classes) > LISTED else ""
    aside = f"; {KINDS['broken-file'].counted(unreadable)}" if unreadable else ""
    head = f"[bold]{pictures:,} pictures, {len(classes):,} classes[/]{aside}\n"
    return Group(head, table, *([rest] if rest else []), Text(), words)


def _sizes(facts: dict[str, Any]) -> RenderableType:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for head in ("", "least", "median", "most"):
        table.add_column(head, justify="right" if head else "left")
    for name, unit, form in (("width", "px", ",.0f"), ("height", "px", ",.0f"), ("megapixels", "", ".2f")):
        table.add_row(
            f"{name} {unit}".strip(), *(format(facts[name][key], form) for key in ("least", "median", "most"))
        )
    small = facts["smaller_than_model"]
    said = f"{small:,} of {facts['pictures']:,} are smaller than the model's view of {facts['model']} px"
    return Group(f"[bold]Sizes of {facts['pictures']:,} pictures[/]\n", table, Text(), Text(said, style="dim"))
