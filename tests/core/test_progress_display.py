"""The table of a run: where people look it shows every epoch once, elsewhere it costs and says nothing."""

import io
import sys
import types

import numpy as np
import pytest

import ursa
from ursa import models
from ursa.core import progress_display
from ursa.core.progress_display import ProgressDisplay, shown
from ursa.learner.progress_table import ProgressTable, table

X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
Y = (X[:, 0] > 0).astype(np.int64)


def fitted(progress, epochs=3):
    learner = ursa.Learner((X, Y), models.linear(4, 2), progress=progress)
    learner.fit(epochs)
    return learner


def test_it_is_silent_where_nobody_looks(capsys):
    fitted(None)
    assert capsys.readouterr() == ("", "")
    assert table(None, 3).observers == ()


def test_plain_text_is_one_line_an_epoch(capsys):
    learner = fitted(True)
    *lines, kept = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert kept == f"kept: the weights from epoch {learner.kept} (of 3)"
    for line, record in zip(lines, learner.history.epochs[1:], strict=True):
        assert line.startswith(f"epoch {record['epoch']}  training {record['train_loss']:.4f}")
        assert f"accuracy {record['accuracy']:.4f}" in line


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_shows_head_and_rows_and_nothing_is_wider_than_it(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setenv("COLUMNS", "70")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress_display, "OFTEN", 0.0)
    fitted(None)
    shown = screen.getvalue()
    assert shown.count("validation") == 1
    rows = [line for line in shown.splitlines() if line.rstrip().endswith(" s")]
    assert [row.replace("\x1b[2K", "").split()[0] for row in rows] == ["1", "2", "3"]
    assert "a second" in shown
    assert "left" in shown


def test_a_notebook_shows_one_table_that_grows(monkeypatch):
    pages = []
    shell, display = types.ModuleType("IPython"), types.ModuleType("IPython.display")
    display.HTML = str
    display.display = lambda page, display_id: types.SimpleNamespace(update=pages.append)  # noqa: ARG005
    shell.get_ipython, shell.display = lambda: types.SimpleNamespace(kernel=True), display
    monkeypatch.setitem(sys.modules, "IPython", shell)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    fitted(None)
    assert pages[-1].count("<tr>") == 1 + 3
    assert "<progress" not in pages[-1]


@pytest.mark.parametrize(("value", "shown"), [(0.12345, "0.1235"), (1234.5, "1234.5"), (float("nan"), "nan")])
def test_numbers_are_readable(value, shown):
    assert progress_display._number("loss", value) == shown


def test_the_rate_leaves_out_what_came_before_the_first_step(monkeypatch):
    now, seen = [100.0], []
    monkeypatch.setattr(progress_display.time, "perf_counter", lambda: now[0])
    bar = types.SimpleNamespace(bar=lambda *facts: seen.append(facts), phase=lambda _: None)
    shown = ProgressTable(bar, epochs=1)
    now[0] += 60  # preparing took a minute
    for step in range(1, 101):
        shown.progress("train", step, 100)
        now[0] += 0.5
    done, of, lr, left = seen[-1]
    assert (done, of, left) == (100, 100, 0)
    assert lr == pytest.approx(2)


def test_names_of_a_users_own_metrics_move_no_cursor(capsys):
    shown = ProgressTable(progress_display._Plain(sys.stdout), 1)
    shown.epoch({"epoch": 1.0, "my\x1b[2J\nmetric\u202e": 0.5})
    assert capsys.readouterr().out == "epoch 1  my\\x1b[2J\\x0ametric\\u202e 0.5000\n"


def test_what_is_under_way_is_on_stderr_from_the_first_moment_and_gone_in_the_end(monkeypatch):
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(progress_display, "OFTEN", 0.0)
    with shown() as bar:
        assert "Loading" in screen.getvalue()
        for done in (1, 2, 3):
            bar("embed", done, 3)
        bar("export", 0, 0)  # nobody knows of how many
        bar.epoch({"epoch": 1.0, "accuracy": 0.5})
    seen = screen.getvalue()
    assert [seen.index(words) for words in ("Loading", "Reading pictures", "3 of 3", "Writing the bundle")] == sorted(
        seen.index(words) for words in ("Loading", "Reading pictures", "3 of 3", "Writing the bundle")
    )
    assert "0.5000" in seen
    assert seen.endswith(("\x1b[2K", "\x1b[?25h", "\x1b[1A\x1b[2K"))  # the bar is taken away, the cursor shown


def test_where_nobody_watches_or_wants_to_nothing_is_shown(capsys):
    for wanted in (None, False):
        with shown(wanted) as bar:
            bar("embed", 1, 2)
            bar.epoch({"epoch": 1.0})
    assert capsys.readouterr() == ("", "")


def test_a_function_is_told_instead_and_a_display_of_somebody_else_is_left_open():
    told = []
    with shown(lambda *now: told.append(now)) as bar:
        bar("embed", 1, 2)
    assert told == [("embed", 1, 2)]
    closed = []
    mine = ProgressDisplay(types.SimpleNamespace(close=lambda: closed.append(1)))
    with shown(mine) as bar:
        assert bar is mine
    assert not closed


def test_check_and_train_show_epochs_with_their_accuracy(tmp_path, picture_folder, capsys):
    folder = picture_folder(tmp_path / "p", {"red": 8, "green": 8})
    result = ursa.train(folder, backbone="pixels", epochs=2, out=tmp_path / "m.ursa", progress=True)
    err = capsys.readouterr().err.splitlines()
    assert [line.split()[:2] for line in err] == [["epoch", "1"], ["epoch", "2"]]
    assert all("accuracy" in line for line in err)
    assert repr(result).startswith("Trained(accuracy: ")
    assert len(repr(result)) < 600
    assert result._repr_html_().startswith("<table><tr><th")
    checked = ursa.check(folder, backbone="pixels", progress=True)
    assert capsys.readouterr().err == ""
    assert "pictures: 16 in 2 classes" in repr(checked)
    assert "array" not in repr(checked) + repr(ursa.evaluate(result.bundle, folder))
