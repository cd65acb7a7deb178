"""`ursa backbones`: table, document, exit codes and the next command."""

import io
import json
import shlex

import pytest

from ursa.cli.command_options import PictureOptions
from ursa.cli.console import Console
from ursa.cli.subcommands.backbones_command import show_compared
from ursa.core.statistics import proportion
from ursa.workflow.backbones import ComparedBackbones
from ursa.workflow.results.backbone_pick import Limits, MeasuredBackbone, pick

LONG = "vit_small_patch14_reg4_dinov2.lvd142m"


@pytest.fixture(scope="module")
def home(tmp_path_factory, picture_folder):
    place = tmp_path_factory.mktemp("home")
    picture_folder(place / "pets", {"cat": 6, "dog": 6})
    return place


def test_the_document_the_exit_codes_and_the_next_command(home, ursa):
    done = ursa("backbones", "pets", "pixels", "--pattern", "{label}_*", "--precision", "fp32", cwd=home)
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("Next:")]
    command = shlex.split(line.removeprefix("Next:"))
    assert command == ["ursa", "train", "pets", "--backbone", "pixels", "--pattern", "{label}_*"]
    refused = ursa("backbones", "pets", "pixels", "--max-mb", "0.001", "--precision", "fp32", "--json", cwd=home)
    document = json.loads(refused.stdout)
    assert refused.returncode == 1
    assert (document["picked"], document["nearest"]) == (None, "pixels")
    assert document["limits"] == {"max_ms": None, "max_mb": 0.001}
    assert document["backbones"][0]["within_limits"] is False


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("pets", "pixels", "--max-ms", "0"), "a limit is a number above 0"),
        (("nowhere", "pixels"), "there is no folder nowhere"),
    ],
)
def test_misuse_exits_2_with_one_readable_block(home, ursa, arguments, said):
    done = ursa("backbones", *arguments, cwd=home)
    assert done.returncode == 2
    assert said in done.stderr and "fix:" in done.stderr
    assert done.stdout == ""


# --- the table -----------------------------------------------------------------------------------------------------


def measured(name: str, hits: int, ms: float, mb: float) -> MeasuredBackbone:
    right = {str(number): number < hits for number in range(200)}
    return MeasuredBackbone(name, None, "apache-2.0", proportion(hits, 200, "here"), right, ms, ms, mb)


def page(width: int, limits: Limits, *rows: MeasuredBackbone) -> list[str]:
    result = ComparedBackbones(rows, pick(rows, limits), limits, {})
    show_compared(result, PictureOptions("pets"), Console(file=(said := io.StringIO()), width=width))
    return said.getvalue().splitlines()


@pytest.mark.parametrize("width", [80, 120])
def test_figures_stay_whole_and_lines_within_the_terminal(width):
    rows = [measured("pixels", 120, 1.25, 0.04), measured(LONG, 192, 123.4, 86.5)]
    lines = page(width, Limits(), *rows, MeasuredBackbone("gone.a_b", problem="its weights are not here"))
    assert all(len(line) <= width for line in lines)
    assert all(text in "\n".join(lines) for text in ("60.0 %", "92.3 to 98.0", "123 ms", "1.2 ms", "86 MB"))
    assert any("gone.a_b" in line and "none" in line for line in lines)
    assert any("gone.a_b: its weights are not here" in line for line in lines)
    assert ("apache-2.0" in "\n".join(lines)) == (width == 120)


def test_the_picked_one_is_marked_and_named_in_the_next_command():
    lines = page(120, Limits(ms=20), measured("pixels", 120, 1, 0.04), measured(LONG, 192, 123, 86))
    assert [line.split()[:2] for line in lines if "picked" in line] == [["pixels", "picked"]]
    assert lines[-1] == "Next:    ursa train pets --backbone pixels"


def test_who_is_over_which_limit_is_said_without_colors_too():
    rows = measured("pixels", 120, 1, 0.04), measured("slow", 150, 40, 3), measured(LONG, 192, 123, 86)
    text = " ".join(" ".join(page(120, Limits(ms=20, mb=10), *rows)).split())
    assert f"Over a limit: slow: takes too long; {LONG}: takes too long and is too large." in text
    result = ComparedBackbones(rows, pick(rows, Limits(20, 10)), Limits(20, 10), {}).to_json()
    assert [row["fails"] for row in result["backbones"]] == [[], ["max_ms"], ["max_ms", "max_mb"]]


def test_names_from_outside_are_printed_as_they_are():
    lines = page(120, Limits(), measured("pixels", 120, 1, 0.04), MeasuredBackbone("x[bold]", problem="\x1b[2J[red]"))
    assert any("x[bold]: \\x1b[2J[red]" in line for line in lines)
