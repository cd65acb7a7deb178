"""Documentation runs: every Python and console block of README and docs, and the help that they show."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "CONTRIBUTING.md"])
BIN = Path(sys.executable).parent

BLOCK = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page, language):
    return [(info.strip(), text) for kind, info, text in BLOCK.findall(page.read_text("utf-8")) if kind == language]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Where the blocks run, all pages in one place, with the pictures that README tells to draw."""
    place = tmp_path_factory.mktemp("docs")
    subprocess.run([sys.executable, "-m", "ursa.data.samples"], cwd=place, check=True, timeout=120)
    return place


@pytest.fixture(scope="module")
def done_before():
    """Commands that ran for an earlier page: the same again in the same place would say nothing new."""
    return set()


def test_there_are_blocks_to_run():
    assert blocks(ROOT / "README.md", "python")
    assert blocks(ROOT / "README.md", "console")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_block_runs_in_the_order_of_the_page(page, home, forked, done_before):
    for info, text in [*blocks(page, "console"), *blocks(page, "python")]:
        if "norun" in info:
            continue
        if text.lstrip().startswith("$"):
            for line in text.splitlines():
                words = shlex.split(line.removeprefix("$ "), comments=True)
                if line.startswith("$ ursa ") and tuple(words) not in done_before:
                    run(command(words), home, forked)
                    done_before.add(tuple(words))
        else:
            run(["python", text], home, forked)


def command(words):
    """`ursa serve` and `ursa review` would serve for ever: see that they answer for their options."""
    return [*words, "--help"] if words[1] in ("serve", "review") else words


def run(words, home, forked):
    done = forked.run(words, home)
    assert done.returncode == 0, f"{' '.join(words)}\n{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_help_that_is_shown_is_the_real_one(page):
    for info, shown in blocks(page, "text"):
        if not info.startswith("help"):
            continue
        arguments = info.split()[1:]
        environment = {"PATH": str(BIN), "COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}
        real = subprocess.run([BIN / "ursa", *arguments, "--help"], capture_output=True, text=True, env=environment)
        assert [line.rstrip() for line in shown.strip().splitlines()] == [
            line.rstrip() for line in real.stdout.strip().splitlines()
        ], f"run: python docs/write_help.py ({page.name}, ursa {' '.join(arguments)})"


def test_no_figure_is_written_by_hand():
    """docs/benchmarks.md holds exactly what the benchmarks' results say."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        from common import page
    finally:
        sys.path.pop(0)
    assert (ROOT / "docs" / "benchmarks.md").read_text("utf-8") == page()


def test_the_page_of_settings_is_written_from_the_settings():
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        from write_help import settings_page
    finally:
        sys.path.pop(0)
    assert (ROOT / "docs" / "settings.md").read_text("utf-8") == settings_page(), "run: python docs/write_help.py"
