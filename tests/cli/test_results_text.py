"""`ursa show`: what reaches the terminal decodes back to the same pixels; documents, files and errors as everywhere."""

import base64
import io
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image
from rich.console import Console

from ursa.cli import terminal_pictures as pictures

PIXELS = hnp.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9), st.just(3)))


@pytest.fixture(scope="module")
def home(tmp_path_factory, picture_folder):
    """`bears/` with two classes and a broken file, and `upright.jpg`, which is stored lying."""
    place = tmp_path_factory.mktemp("show")
    picture_folder(place / "bears", {"black": 4, "brown": 3})
    (place / "bears/brown/note.jpg").write_text("not a picture")
    exif = Image.Exif()
    exif[0x0112] = 8
    Image.new("RGB", (40, 30), "red").save(place / "upright.jpg", exif=exif)
    return place


def png_of(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def pixels_of(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def colors():
    """A console that takes every colour and keeps what is printed."""
    options = {"force_terminal": True, "color_system": "truecolor", "legacy_windows": False}
    return Console(file=io.StringIO(), width=200, **options)


def from_kitty(text):
    """The PNG in kitty's commands; checks what its documentation asks of them."""
    found = re.findall(r"\033_G([^;]*);([A-Za-z0-9+/=]*)\033\\", text)
    keys = [dict(pair.split("=") for pair in head.split(",")) for head, _ in found]
    assert keys[0].items() >= {"a": "T", "f": "100", "q": "2"}.items()
    assert [key["m"] for key in keys] == ["1"] * (len(keys) - 1) + ["0"]
    assert all(len(part) <= 4096 for _, part in found)
    assert all(len(part) % 4 == 0 for _, part in found[:-1])
    assert all(key.keys() <= {"q", "m"} for key in keys[1:])
    return base64.b64decode("".join(part for _, part in found))


def from_iterm2(text):
    found = re.fullmatch(r"\033\]1337;File=([^:]*):([A-Za-z0-9+/=]*)\a\n", text)
    png = base64.b64decode(found[2])
    keys = dict(pair.split("=") for pair in found[1].split(";"))
    assert keys["inline"] == "1"
    assert int(keys["size"]) == len(png)
    return png


def from_sixel(text):
    """A small reader of sixel -> [h, w, 3] in percent."""
    body = re.fullmatch(r'\033Pq"1;1;(\d+);(\d+)(.*)\033\\\n', text, re.DOTALL)
    width, height, rest = int(body[1]), int(body[2]), body[3]
    colors = {int(n): tuple(map(int, rgb)) for n, *rgb in re.findall(r"#(\d+);2;(\d+);(\d+);(\d+)", rest)}
    rest = re.sub(r"#\d+;2;\d+;\d+;\d+", "", rest)
    out, x, top, color = np.full((-(-height // 6) * 6, width, 3), -1), 0, 0, 0
    for number, times, letter in re.findall(r"#(\d+)|(?:!(\d+))?([?-~]|\$|-)", rest):
        if number:
            color = int(number)
        elif letter == "$":
            x = 0
        elif letter == "-":
            x, top = 0, top + 6
        else:
            n = int(times or 1)
            for bit in range(6):
                if ord(letter) - 63 >> bit & 1:
                    out[top + bit, x : x + n] = colors[color]
            x += n
    return out[:height]


def from_blocks(text):
    """Coloured half blocks -> rows of pixels, None where the ground is the terminal's own."""
    rows = []
    for line in text.splitlines():
        cells = re.findall(r"\033\[38;2;(\d+);(\d+);(\d+)(?:;48;2;(\d+);(\d+);(\d+))?m(▀+)", line)
        upper, lower = [], []
        for *six, blocks in cells:
            upper += [tuple(map(int, six[:3]))] * len(blocks)
            lower += [tuple(map(int, six[3:])) if six[3] else None] * len(blocks)
        rows += [upper, lower]
    return rows


# Protocols


@given(PIXELS)
def test_kitty_and_iterm2_carry_the_file(pixels):
    png = png_of(pixels)
    assert from_kitty(pictures.kitty(png, 40)) == png
    assert from_iterm2(pictures.iterm2(png, 40)) == png
    np.testing.assert_array_equal(pixels_of(from_kitty(pictures.kitty(png, 40))), pixels)


def test_a_large_file_is_sent_in_parts():
    png = png_of(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8))
    assert len(png) > 3 * 4096
    assert from_kitty(pictures.kitty(png, 40)) == png


@given(PIXELS)
def test_sixel_decodes_to_the_same_colors(pixels):
    pixels = np.where(pixels > 127, np.uint8(255), np.uint8(0))  # eight colours: nothing is lost in the palette
    np.testing.assert_allclose(from_sixel(pictures.sixel(pixels)), pixels / 2.55, atol=1)


def test_sixel_counts_repetitions():
    assert "!90" in pictures.sixel(np.zeros((6, 90, 3), np.uint8))


@given(PIXELS)
def test_half_blocks_decode_to_the_same_pixels(pixels):
    height, width = pixels.shape[:2]
    console = colors()
    console.print(pictures.blocks(pixels, max(height, width)))
    rows = from_blocks(console.file.getvalue())
    assert [list(map(tuple, row)) for row in pixels.tolist()] == rows[:height]
    assert rows[height:] in ([], [[None] * width])


def test_half_blocks_fit_and_small_pictures_are_enlarged_whole(photo):
    console = colors()
    console.print(pictures.blocks(photo(0, 300, 200), 30))
    assert {len(row) for row in from_blocks(console.file.getvalue())} == {30}
    console.file = io.StringIO()
    console.print(pictures.blocks(photo(0, 4, 4), 30))
    assert {len(row) for row in from_blocks(console.file.getvalue())} == {28}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM": "xterm-ghostty"}, "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, "iterm2"),
        ({"TERM": "xterm-256color", "LC_TERMINAL": "iTerm2"}, "iterm2"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, "iterm2"),
        ({"TERM": "xterm-256color", "KONSOLE_VERSION": "230805"}, "iterm2"),
        ({"TERM": "xterm-256color", "KONSOLE_VERSION": "210400"}, None),
        ({"TERM": "foot"}, "sixel"),
        ({"TERM": "xterm-sixel"}, "sixel"),
        ({"TERM": "xterm-256color"}, None),
        ({}, None),
        ({"TERM": "tmux-256color", "KITTY_WINDOW_ID": "1"}, None),
        ({"TERM": "screen", "TERM_PROGRAM": "iTerm.app"}, None),
        ({"TERM": "xterm-kitty", "TMUX": "/tmp/x"}, None),
    ],
)
def test_the_protocol_is_told_by_the_environment(environment, expected):
    assert pictures.protocol(environment) == expected


def test_who_watches_decides():
    def console(**options):
        return Console(file=io.StringIO(), _environ={"TERM": "xterm"}, legacy_windows=False, **options)

    kitty = {"TERM": "xterm-kitty"}
    assert pictures.way(kitty, console()) == "none"  # a pipe or a file
    assert pictures.way(kitty, console(force_terminal=True)) == "kitty"
    assert pictures.way({}, console(force_terminal=True, color_system="truecolor")) == "blocks"
    assert pictures.way({}, console(force_terminal=True, color_system="truecolor", no_color=True)) == "none"
    assert pictures.way({}, console(force_terminal=True, color_system=None)) == "none"


# The command


def test_a_batch_is_a_document_a_file_or_blocks(home, ursa):
    document = json.loads(ursa("show", "bears", "--json", "--count", "8", "--seed", "3", cwd=home).stdout)
    assert document["what"] == "batch"
    assert document["pictures"] == 8
    assert document["file"] is None
    assert {row["label"] for row in document["shown"]} == {"black", "brown"}
    assert [row["problem"] for row in document["shown"] if row["problem"]] == ["not a picture: a text file"]
    written = ursa("show", "bears", cwd=home)
    assert written.returncode == 0
    assert written.stderr == "Written: bears-batch.png\n"
    assert pixels_of((home / "bears-batch.png").read_bytes()).shape[1] == 1000
    drawn = ursa("show", "bears", "--terminal", "blocks", cwd=home)
    assert drawn.stdout.count("▀") > 500
    assert "not a picture" in drawn.stdout
    assert not (home / "bears/.ursa").exists()


@pytest.mark.parametrize("what", ["classes", "sizes", "means"])
def test_every_subject_has_a_document_a_figure_and_a_text(home, ursa, what):
    out = home / f"{what}.svg"
    document = json.loads(ursa("show", "bears", "--what", what, "--json", "--out", out, cwd=home).stdout)
    assert document["what"] == what
    assert document["file"] == str(out)
    assert "<svg" in out.read_text()
    drawn = ursa("show", "bears", "--what", what, "--terminal", "blocks", cwd=home)
    assert drawn.returncode == 0
    assert {"classes": "cannot be read 1", "sizes": "megapixels", "means": "black (4)"}[what] in drawn.stdout


def test_the_counts_and_sizes_are_the_right_ones(home, ursa):
    counts = json.loads(ursa("show", "bears", "--what", "classes", "--json", cwd=home).stdout)["classes"]
    assert counts == {"black": {"": 4}, "brown": {"": 3, "cannot be read": 1}}
    sizes = json.loads(ursa("show", "bears", "--what", "sizes", "--json", cwd=home).stdout)
    assert sizes["width"] == {"least": 48, "median": 48, "most": 48}
    assert sizes["height"] == {"least": 48, "median": 56, "most": 64}
    assert sizes["smaller_than_model"] == sizes["pictures"] == 7


def test_one_picture_with_its_facts(home, ursa):
    document = json.loads(ursa("show", "upright.jpg", "--json", cwd=home).stdout)
    assert (document["format"], document["width"], document["height"]) == ("JPEG", 30, 40)
    assert document["turned"] == "turned by 90° anticlockwise"
    text = ursa("show", "upright.jpg", "--terminal", "blocks", cwd=home).stdout
    assert "turned by 90° anticlockwise" in text
    rows = from_blocks("\n".join(line for line in text.splitlines() if "▀" in line))
    assert len(rows) > len(rows[0])  # upright
    seen = json.loads(ursa("show", "upright.jpg", "--as-model", "--json", cwd=home).stdout)
    assert seen["view"] == {"size": 224, "fit": "pad"}


def test_the_numbers_of_a_patch(home, ursa):
    document = json.loads(ursa("show", "bears/brown/brown_001.png", "--patch", "3,40", "--json", cwd=home).stdout)
    pixels = pixels_of((home / "bears/brown/brown_001.png").read_bytes())
    assert document["values"] == pixels[3:11, 40:48].tolist()
    text = ursa("show", "bears/brown/brown_001.png", "--patch", "3,40", "--terminal", "blocks", cwd=home).stdout
    plain = re.sub(r"\033\[[\d;]*m", "", text).split("red, green")[0]
    numbers = np.array(plain.split(), int).reshape(8, 3, 8).transpose(0, 2, 1)
    np.testing.assert_array_equal(numbers, pixels[3:11, 40:48])


def test_a_broken_picture_says_why_and_exits_1(home, ursa):
    done = ursa("show", "bears/brown/note.jpg", cwd=home)
    assert done.returncode == 1
    assert "not a picture: a text file" in done.stdout
    assert not list(home.glob("note*"))
    patch = ursa("show", "bears/brown/note.jpg", "--patch", "0,0", "--json", cwd=home)
    assert patch.returncode == 1
    assert json.loads(patch.stdout)["problem"] == "not a picture: a text file"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere",), "there is no"),
        (("bears", "--what", "clases"), "did you mean 'classes'"),
        (("bears", "--patch", "1,1"), "name a picture"),
        (("bears", "--count", "0"), "1 to 64"),
        (("bears", "--terminal", "kity"), "did you mean 'kitty'"),
        (("bears", "--out", "a.pn"), "did you mean 'png'"),
        (("upright.jpg", "--what", "sizes"), "is for folders"),
        (("upright.jpg", "--patch", "1"), "--patch 100,120"),
        (("upright.jpg", "--patch", "100,120"), "inside its picture"),
        (("upright.jpg", "--out", "upright.jpg"), "is one of the pictures"),
        (("bears", "--out", "bears/black/black_000.jpg"), "is one of the pictures"),
    ],
)
def test_misuse_exits_2_with_the_fix(home, ursa, arguments, said):
    done = ursa("show", *arguments, cwd=home)
    assert done.returncode == 2
    assert said in done.stderr
    assert "fix:" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_protocol_by_name_reaches_stdout(home, ursa):
    png = from_kitty(ursa("show", "bears", "--terminal", "kitty", cwd=home).stdout)
    assert png == from_iterm2(ursa("show", "bears", "--terminal", "iterm2", cwd=home).stdout)
    assert pixels_of(png).shape[1] == 1000
    assert from_sixel(ursa("show", "bears", "--terminal", "sixel", cwd=home).stdout).min() >= 0


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")
def test_a_terminal_that_can_show_pictures_gets_them(home, ursa_command):
    import pty

    outside, inside = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-kitty", "COLUMNS": "80"}
    environment.pop("TMUX", None)
    command = [ursa_command, "show", "bears", "--count", "2"]
    with subprocess.Popen(command, cwd=home, stdout=inside, stderr=subprocess.DEVNULL, env=environment) as process:
        os.close(inside)
        read = b""
        while True:
            try:
                part = os.read(outside, 65536)
            except OSError:  # Linux says so when the other end is closed
                break
            if not part:
                break
            read += part
        assert process.wait(120) == 0
    os.close(outside)
    assert pixels_of(from_kitty(read.decode().replace("\r\n", "\n"))).shape[1] == 1000


def test_what_a_check_has_found_is_not_read_again(home, ursa, tmp_path):
    from ursa.data.scan import FileInfo, keep, with_facts
    from ursa.data.sources.folder_source import from_folder

    catalog = from_folder(home / "bears")
    known = with_facts(catalog, [FileInfo(sha256="x", format="PNG", width=7, height=9, frames=1)] * len(catalog))
    keep(known, tmp_path / "catalog.parquet")
    done = ursa("show", "bears", "--what", "sizes", "--workspace", tmp_path, "--json", cwd=home)
    assert json.loads(done.stdout)["width"]["most"] == 7
    (tmp_path / "catalog.parquet").write_bytes(b"damaged")
    done = ursa("show", "bears", "--what", "sizes", "--workspace", tmp_path, "--json", cwd=home)
    assert json.loads(done.stdout)["width"]["most"] == 48


def test_a_figure_that_cannot_be_written_asks_for_another_place(home, ursa, disk):
    place = disk("1m", read_only=True)
    done = ursa("show", home / "bears", "--out", place / "bears.png")
    assert done.returncode == 2
    assert "cannot write" in done.stderr
    assert "--out DIR/bears.png" in done.stderr
    assert "--workspace" not in done.stderr
