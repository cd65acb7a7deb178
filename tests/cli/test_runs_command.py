"""`ursa runs` and `ursa compare`: a table that fits, a document, exit codes and the next command."""

import io
import json
from pathlib import Path

import pytest

from ursa.cli.command_options import PictureOptions
from ursa.cli.console import Console
from ursa.cli.subcommands.runs_command import short_names, show_comparison, show_runs
from ursa.core.labels import Labels
from ursa.core.statistics import proportion
from ursa.recipe import Recipe
from ursa.workflow.comparing.run_table import RunRow, RunTable, differing
from ursa.workflow.results.compared import Compared
from ursa.workflow.training_run.run_result import RunResult


def row(number, hits, *, kept="fine-tuned", status="finished", **settings):
    """A run with 120 test pictures, or one without figures."""
    used = {"backbone": settings.pop("backbone", "pixels"), **Recipe.of(**settings).flat()}
    accuracy = proportion(hits, 120, "held-out test pictures")
    pictures = {"train": 400, "train-dev": 0, "valid": 100, "test": 120}
    about = {
        "classes": Labels(("a", "b")).names,
        "kept": kept,
        "part": "test",
        "pictures": pictures,
        "verdict": "probe-kept",
    }
    result = RunResult(
        "2026-11-28T10:00:00+00:00", used, **about, accuracy=accuracy, probe=accuracy, seconds=75.0, bundle=Path("m")
    )
    return RunRow(f"20261128-10{number:02}00", number, status, used, result if status == "finished" else None)


def table(*rows):
    return RunTable(rows, Path("runs"), differing([one.settings for one in rows]))


def shown(result, width=80):
    console = Console(width=width, file=io.StringIO())
    show_runs(result, PictureOptions(Path("bears")), console)
    return console.file.getvalue()


def test_the_table_fits_a_terminal_and_has_only_what_differs():
    text = shown(table(row(1, 90), row(2, 99, seed=3), row(3, 0, status="unfinished")))
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["#", "begun", "kept", "seed", "accuracy", "95", "%", "interval", "of", "time"]
    assert "120 test" in lines[1] and "82.5 %" in lines[2] and "74.7 to 88.3" in lines[2]
    assert "unfinished" in lines[3] and "ursa train FOLDER --resume --run NAME" in " ".join(text.split())
    assert "ursa compare 2 1 bears" in text  # the best against the next


def test_settings_without_room_for_columns_stand_below_each_run():
    used = {"epochs": 9, "rotate": 7, "mixup": 0.5, "cutmix": 0.5, "weight_decay": 0.2, "oversample": True}
    rows = table(row(1, 90), row(2, 95, **used, backbone="convnext_nano.in12k_ft_in1k"))
    lines = shown(rows).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["#", "begun", "kept", "accuracy", "95", "%", "interval", "of", "time"]
    below = " ".join(" ".join(lines[lines.index(next(line for line in lines if line.startswith("2 "))) + 1 :]).split())
    for words in ("backbone convnext_nano.in12k_ft_in1k", "epochs 9", "cutmix 0.5", "oversample true"):
        assert words in below
    wide = shown(rows, 220).splitlines()
    assert "convnext_nano.in12k_ft_in1k" in wide[2] and "cutmix" in wide[0]


def test_what_there_is_nothing_to_say_about():
    assert "There are no runs in runs yet." in shown(table()) and "ursa train bears" in shown(table())
    assert "All their settings are the same." in shown(table(row(1, 90), row(2, 90)))
    assert "ursa compare" not in shown(table(row(1, 90)))


def test_settings_are_named_as_they_are_typed():
    assert short_names(["optim.epochs", "seed", "split.valid"]) == ["epochs", "seed", "valid"]
    assert short_names(["a.size", "b.size"]) == ["a.size", "b.size"]


def test_a_comparison_names_the_better_one_and_what_was_left_out():
    ids = [f"{number}.jpg" for number in range(100)]
    right = [True] * 95 + [False] * 5, [True] * 70 + [False] * 30
    result = Compared.of(
        "run 1", "run 2", "test pictures of both", ids, right, {"held out by run 1 alone": 4, "other": 0}
    )
    console = Console(width=80, file=io.StringIO())
    show_comparison(result, console)
    text = " ".join(console.file.getvalue().split())
    assert "On 100 test pictures of both:" in text
    assert "run 1 95.0 % 88.8 to 97.8 25" in text and "difference +25.0 points" in text
    assert "run 1 is better than run 2" in text and "Left out: 4 held out by run 1 alone." in text


@pytest.fixture(scope="module")
def home(tmp_path_factory, picture_folder):
    place = tmp_path_factory.mktemp("home")
    picture_folder(place / "pets", {"cat": 3, "dog": 3})
    return place


def test_the_commands_their_documents_and_exit_codes(home, ursa):
    done = ursa("runs", "pets", "--json", cwd=home)
    assert (done.returncode, json.loads(done.stdout)["runs"]) == (0, [])
    refused = ursa("compare", "1", "2", "pets", cwd=home)
    assert refused.returncode == 2 and refused.stdout == ""
    assert "there is no run '1'" in refused.stderr and "fix:" in refused.stderr
    assert sorted(path.name for path in (home / "pets").iterdir()) == ["cat", "dog"]
