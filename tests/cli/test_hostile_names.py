"""No name from outside moves the cursor: hostile names through every command, in a real terminal, byte for byte."""

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from ursa.cli.console import Console, plain
from ursa.cli.output import json_text, shell_line
from ursa.core.text import escaped

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither such terminals nor such names")

# Clears the screen and sets the title; C1; two lines and a carriage return; Trojan Source; Rich's markup and emoji.
CLASSES = ("a\x1b[2J\x1b]0;x\x07", "b\x9b31m\u202ered", "c\nd\r[red]:bear: [link=x]\\")
LEARNED = ("a [bold]", "b :bear:", "c [link=x]\\")  # a bundle holds printable classes only
QUIET = {**os.environ, "TERM": "dumb", "NO_COLOR": "1", "OMP_NUM_THREADS": "1", "COLUMNS": "100"}
PIXELS = ("--backbone", "pixels", "--precision", "fp32")


@pytest.fixture(scope="module")
def home(tmp_path_factory, picture_folder, ursa_command, in_terminal):
    """Pictures and files under hostile names, and a model that learned them, in a terminal too."""
    place = tmp_path_factory.mktemp("home")
    folder = picture_folder(place / "p\x1b[31m\x9b", dict.fromkeys(CLASSES, 6))
    first = sorted((folder / CLASSES[0]).iterdir())
    (folder / CLASSES[0] / "cut\x1b[1m\n.jpg").write_bytes(first[0].read_bytes()[:500])
    (folder / CLASSES[1] / "text\u202e[bold].jpg").write_text("no picture")
    shutil.copy(first[1], folder / CLASSES[0] / "again\x1bc.png")
    shutil.copy(first[2], folder / CLASSES[1] / "elsewhere\x9b.jpg")
    shutil.copy(first[3], folder / CLASSES[2] / "whole\x1b.jpg")
    learned = picture_folder(place / TRAINED, dict.fromkeys(LEARNED, 6))
    for path in sorted((learned / LEARNED[0]).iterdir())[:2]:
        path.rename(path.with_name(f"x\x1b[2J\n{path.name}"))
    (learned / LEARNED[1] / "cut\x1b[1m\n.jpg").write_bytes(first[0].read_bytes()[:500])
    command = [ursa_command, "train", TRAINED, *PIXELS, "--set", "epochs=1", "--out", BUNDLE]
    code, seen = in_terminal(command, forked=True, cwd=place, env=QUIET)
    assert code == 0, seen
    assert escaped(seen.decode(), lines=True) == seen.decode()
    return place


FOLDER, TRAINED, BUNDLE = "p\x1b[31m\x9b", "t\x1b[31m\x9b", "m\x1b[5m.ursa"
BROKEN, WHOLE = f"{FOLDER}/{CLASSES[0]}/cut\x1b[1m\n.jpg", f"{FOLDER}/{CLASSES[2]}/whole\x1b.jpg"

COMMANDS = {
    "check": ["check", FOLDER, *PIXELS],
    "evaluate": ["evaluate", BUNDLE, TRAINED],
    "no bundle for these classes": ["train", FOLDER, *PIXELS],
    "predict": ["predict", BUNDLE, BROKEN, WHOLE, "no\x1b[2J\n\x9b.jpg", b"byte\xff.jpg", FOLDER],
    "show into a file": ["show", FOLDER, "--out", "f\x1b.png"],
    "show classes": ["show", FOLDER, "--what", "classes", "--out", "f\x1b.png"],
    "show a picture's facts": ["show", WHOLE, "--out", "f\x1b.png"],
    "show a broken picture": ["show", BROKEN],
    "no folder": ["check", "no\x1b[2J\r"],
    "no bundle": ["predict", "no\x1b[2J", "x"],
    "no list": ["download", "no\x1b[2J.txt", "--to", "there"],
    "no option": ["check", "--\x1b[2J\x9b"],
    "no command": ["\x1b[2J"],
    "no number": ["check", FOLDER, "--seed", "\x1b[2J"],
    "no device": ["check", FOLDER, "--device", "\x1b[2J\u202e"],
    "no setting": ["train", FOLDER, "--set", "\x1b[2J=3"],
    "no pattern": ["check", FOLDER, "--pattern", "\x1b[2J{label}\x9b"],
    "a traceback": ["check", "no\x1b[2J\r", "--debug"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_only_printable_characters_and_line_ends_reach_the_terminal(home, ursa_command, in_terminal, name):
    code, seen = in_terminal([ursa_command, *COMMANDS[name]], forked=True, cwd=home, env=QUIET)
    text = seen.decode()  # strict: whatever the names are, it is UTF-8
    assert escaped(text, lines=True) == text
    assert "\\x1b" in text or name in ("show into a file", "no number"), "the name is not even there"
    assert code == (2 if name.startswith(("no ", "a ")) else 1 if name in ("predict", "show a broken picture") else 0)


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("name", ["check", "predict", "no folder"])
def test_a_document_is_strict_json_whatever_the_names_and_the_encoding(home, ursa_command, name, encoding):
    environment = {**QUIET, "PYTHONIOENCODING": encoding}
    done = subprocess.run(
        [ursa_command, *COMMANDS[name], "--json"], cwd=home, capture_output=True, env=environment, timeout=120
    )
    text = done.stdout.decode(encoding)
    document = json.loads(text)
    assert escaped(text, lines=True) == text
    if name == "check":
        assert sorted(document["classes"]) == sorted(CLASSES)
    if name == "predict":
        *named, folder = (os.fsdecode(word) for word in COMMANDS["predict"][2:])
        seen = [row["picture"] for row in document]
        assert seen[: len(named)] == named
        assert all(name.startswith(folder) for name in seen[len(named) :])


def test_people_too_can_read_where_the_terminal_knows_ascii_only(home, ursa_command, in_terminal):
    environment = {**QUIET, "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    for name in ("evaluate", "show a picture's facts"):
        code, seen = in_terminal([ursa_command, *COMMANDS[name]], cwd=home, env=environment)
        text = seen.decode("ascii")
        assert "Traceback" not in text and "bug" not in text
        assert code != 70


def test_the_report_shows_what_would_be_invisible(home):
    for page in (home / FOLDER / ".ursa").rglob("report.html"):
        text = page.read_text("utf-8")
        assert escaped(text, lines=True) == text
        assert "\\x1b" in text
        assert text.count("<script") == 2  # its own, and what that reads


def test_a_server_cannot_write_to_the_terminal_either(tmp_path, ursa_command, in_terminal):
    """Reason, type and place of an answer are a stranger's."""
    answers = {
        b"/a": b"HTTP/1.1 404 \x1b[2JNot \x9bFound\r\nContent-Length: 0\r\n\r\n",
        b"/b": b"HTTP/1.1 200 OK\r\nContent-Type: text/\x1b[2Jhtml\r\nContent-Length: 2\r\n\r\n\x1bc",
        b"/c": b"HTTP/1.1 302 Found\r\nLocation: ftp://\x1b[2J/\xe2\x80\xae\r\nContent-Length: 0\r\n\r\n",
        b"/d": b"\x1b[2J\x1b]0;x\x07 no HTTP at all\r\n\r\n",
    }

    def answer(connection):
        with connection:
            asked = connection.recv(65536).split(b" ")
            connection.sendall(answers.get(asked[1] if len(asked) > 1 else b"", answers[b"/a"]))

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:  # it was closed: the test is over
                return
            answer(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(60)
        threading.Thread(target=serve, daemon=True).start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        urls = [f"{address}/{letter}" for letter in "abcd"]
        urls += ["http://\x1b[2J.example/", "ftp://x/\x9b", f"{address}/a\u202e"]
        name = "l\x1b[31m/bears.txt"
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("\n".join(urls), "utf-8")
        command = [ursa_command, "download", name, "--to", "t\x1b[2J", "--allow-private", "--retries", "0"]
        code, seen = in_terminal(command, forked=True, cwd=tmp_path, env=QUIET)
        text = seen.decode()
        assert escaped(text, lines=True) == text
        assert "7 URLs failed" in text
        assert code == 1
        done = subprocess.run([*command, "--json"], cwd=tmp_path, env=QUIET, capture_output=True, timeout=60)
    assert escaped(done.stdout.decode(), lines=True) == done.stdout.decode()
    assert len(json.loads(done.stdout)["failures"]) == 7


NASTY = st.text(st.characters(codec=None) | st.sampled_from("\\[]/=:#@\x1b\n\ud800"), max_size=12)


@given(NASTY, NASTY)
def test_names_are_printed_as_they_are_and_markup_in_them_is_only_text(one, two):
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        console = Console(width=400, record=True, force_terminal=False, file=nowhere)
        console.print(f"[dim]{plain(one)}:[/] {plain(two)}[bold]end[/]", soft_wrap=True)
        seen = console.export_text()
    wanted = f"{escaped(one)}: {escaped(two)}end\n"
    assert seen.replace("\\", "") == wanted.replace("\\", "")  # a backslash at the end may be there twice
    assert seen.isprintable() or escaped(seen, lines=True) == seen


def test_what_was_forgotten_to_be_escaped_is_caught_before_the_terminal(capsys):
    table = Table("head\x9b")
    table.add_row("\x1b[2J")
    console = Console(width=100, force_terminal=True, color_system=None)
    console.print(table, "\x1b[2J", Text("\x1b[2J\u202e"))
    seen = capsys.readouterr().out
    assert escaped(seen, lines=True) == seen
    assert seen.count("\\x1b") == 3


@given(st.lists(NASTY, max_size=3))
def test_a_command_line_that_is_shown_is_read_back_by_the_shell(words):
    line = shell_line(words)
    assert escaped(line) == line
    if all(escaped(word) == word for word in words):
        assert shlex.split(line) == words


def test_a_shell_reads_control_characters_back_too():
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash here")
    words = ["a\x1b[31m'b\\c", "\x9b2", "n\nl", "\udcff", "\u202e", "plain", "two words", "$HOME", ""]
    script = f"export LC_ALL=C; printf '%s\\0' {shell_line(words)}"
    seen = subprocess.run([bash, "-c", script], capture_output=True, check=True, timeout=20).stdout
    assert [os.fsdecode(word) for word in seen.split(b"\0")[:-1]] == words


@given(st.recursive(NASTY | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(NASTY, inner)))
def test_documents_survive_the_way_through_a_terminal(document):
    for encoding in ("utf-8", "ascii", "cp1252"):
        text = json_text(document, encoding)
        assert json.loads(text.encode(encoding)) == document
        assert escaped(text, lines=True) == text
