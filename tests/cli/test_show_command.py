"""`ursa show`: what reaches the terminal decodes back to the same pixels; documents, files and errors as everywhere."""

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
from ursa.cli import terminal_tiles

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


def pixels_of(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


def colors():
    """A console that takes every colour and keeps what is printed."""
    options = {"force_terminal": True, "color_system": "truecolor", "legacy_windows": False}
    return Console(file=io.StringIO(), width=200, **options)


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


# Pictures in a terminal


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


@given(PIXELS)
def test_letters_are_the_darker_the_fuller_and_as_many_as_blocks(pixels):
    columns = max(pixels.shape[:2])
    drawn = pictures.letters(pixels, columns).plain.splitlines()
    assert [len(line) for line in drawn] == [pixels.shape[1]] * -(-pixels.shape[0] // 2)
    assert {letter for line in pictures.letters(pixels * 0, columns).plain.splitlines() for letter in line} == {"@"}
    white = pictures.letters(pixels * 0 + 255, columns).plain
    assert not white.strip()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "none"),  # a pipe or a file
        ({"force_terminal": True, "color_system": "truecolor"}, "blocks"),
        ({"force_terminal": True, "color_system": "truecolor", "no_color": True}, "none"),
        ({"force_terminal": True, "color_system": None}, "none"),
    ],
)
def test_who_watches_decides(options, expected):
    console = Console(file=io.StringIO(), _environ={"TERM": "xterm"}, legacy_windows=False, **options)
    assert terminal_tiles.way("auto", console) == expected
    assert [terminal_tiles.way(wanted, console) for wanted in ("blocks", "none")] == ["blocks", "none"]


def test_a_console_without_colors_gets_letters():
    pixels = np.full((4, 4, 3), 200, np.uint8)
    assert "▀" in pictures.picture(pixels, colors(), 16).plain
    assert "▀" not in pictures.picture(pixels, Console(file=io.StringIO(), color_system=None), 16).plain


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
    counts = json.loads(ursa("show", "bears", "--what", "classes", "--json", cwd=home).stdout)
    assert counts["classes"] == {"black": {"": 4}, "brown": {"": 3, "cannot be read": 1}}
    assert (counts["pictures"], counts["unreadable"]) == (7, 1)
    text = ursa("show", "bears", "--what", "classes", "--terminal", "blocks", cwd=home).stdout
    plain = re.sub(r"\033\[[\d;]*m", "", text)
    assert "7 pictures, 2 classes; 1 file that cannot be used" in plain
    assert re.search(r"^black +4 ", plain, re.MULTILINE) and re.search(r"^brown +3 ", plain, re.MULTILINE)
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
        (("bears", "--terminal", "bloks"), "did you mean 'blocks'"),
        (("bears", "--terminal", "kitty"), "--out FILE.png"),
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


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo terminal")
def test_a_terminal_that_can_show_pictures_gets_them(home, ursa_command):
    import pty

    outside, inside = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "COLUMNS": "80"}
    environment.pop("NO_COLOR", None)
    command = [ursa_command, "show", "bears", "--count", "2"]
    files = sorted(home.iterdir())
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
    assert read.decode().count("▀") > 500 and sorted(home.iterdir()) == files


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
