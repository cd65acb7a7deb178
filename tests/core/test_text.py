import sys

import pytest

from ursa.core.text import escaped


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("cat.jpg", "cat.jpg"),
        ("Bär – 熊 🐻", "Bär – 熊 🐻"),
        ("a\x1b[31mred", "a\\x1b[31mred"),
        ("a\nb\r\tc", "a\\x0ab\\x0d\\x09c"),
        ("a\x9b2Jb", "a\\x9b2Jb"),
        ("abc\u202egpj.exe", "abc\\u202egpj.exe"),
        ("\ud800", "\\ud800"),
        ("a\u2028b", "a\\u2028b"),
        ("👩\u200d🔬", "👩\u200d🔬"),
        ("a\u00a0b", "a\u00a0b"),
        ("\U000e0001", "\\U000e0001"),
    ],
)
def test_what_moves_a_cursor_is_shown_as_its_code(text, seen):
    assert escaped(text) == seen


def test_newlines_stay_where_asked():
    assert escaped("a\nb\x07", lines=True) == "a\nb\\x07"


def test_no_code_point_of_a_terminal_gets_through():
    # C0, DEL and C1 are all that ECMA-48 gives a meaning; the rest of Unicode is checked for what turns text around.
    for number in [
        *range(0x20),
        *range(0x7F, 0xA0),
        *range(0x202A, 0x202F),
        *range(0x2066, 0x206A),
        *range(0xD800, 0xE000),
    ]:
        assert chr(number) not in escaped(f"a{chr(number)}b")
    assert all(escaped(chr(number)) for number in range(0, sys.maxunicode, 97))
