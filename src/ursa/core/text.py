"""Text from outside -> text that may be printed: no escape sequence of a file name reaches the terminal."""

FORMULA = ("=", "+", "-", "@", "\t", "\r")
JOINERS = "\u200c\u200d"  # invisible, but part of emoji and of Persian and Indic words


def escaped(text: object, *, lines: bool = False) -> str:
    r"""Control characters, line ends, marks that turn the direction of writing and lone surrogates as \x1b or \u202e.

    lines: keep newlines, for texts that are written by Ursa and only hold names from outside.
    """
    said = str(text)
    if said.isprintable():
        return said
    return "".join(letter if _harmless(letter, lines) else _code(letter) for letter in said)


def counted(count: int, one: str, several: str = "") -> str:
    """ "1 picture", "2,000 pictures"."""
    return f"{count:,} {one if count == 1 else several or one + 's'}"


def p_value_text(value: float) -> str:
    """ "p = 0.034", "p < 0.001"."""
    return "p < 0.001" if value < 0.001 else f"p = {value:.2g}"


def spreadsheet_cell(text: str) -> str:
    """What a spreadsheet would take for a formula, with an apostrophe before it: names of files come from outside."""
    return f"'{text}" if text.startswith((*FORMULA, "'")) else text


def text_of_cell(cell: str) -> str:
    """What `spreadsheet_cell` was given."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith((*FORMULA, "'")) else cell


def delimiter_of(head: str) -> str:
    """What splits the first line of a CSV file: spreadsheets write the one of their country."""
    return max(",;\t", key=head.count)


def _harmless(letter: str, lines: bool) -> bool:
    if letter == "\n":
        return lines
    return letter.isprintable() or ord(letter) in _SPACES or letter in JOINERS


# Unicode's space separators (Zs): none of them moves anything.
_SPACES = {0x20, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000}


def _code(letter: str) -> str:
    number = ord(letter)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
