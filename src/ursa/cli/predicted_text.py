"""Predictions in the terminal: a line a picture for a few, counts by class for many."""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from ursa.cli.console import Console, plain
from ursa.cli.results_text import problem_list
from ursa.core.text import counted
from ursa.errors import DataError
from ursa.serve.prediction import (
    AnyPrediction,
    MultiLabelPrediction,
    Prediction,
    RegressionPrediction,
    most_probable,
)
from ursa.workflow.results.predicted import Predicted

FEW = 30  # pictures that get a line each
LEAST_SURE = 5  # shown of more
CLASSES = 20  # with the most pictures
LONG = 36  # characters of a name that leave room for the rest of its line
BAR = 24  # cells of the longest bar

Answers = Sequence[tuple[str, AnyPrediction | DataError]]


def predicted(result: Predicted, console: Console) -> None:
    """The answer of `ursa predict`."""
    if result.out is None and len(result.answers) <= FEW:
        answers(result.answers, console)
    else:
        _counts(result, console)
        _least_sure(result.answers, console)
    problems = {name: answer.what for name, answer in result.answers if isinstance(answer, DataError)}
    problems = problems or {f"{count:,} x": what for what, count in result.problems.items()}
    problem_list(f"{counted(result.unreadable, 'file')} could not be read", problems, FEW, "more", console)
    if result.left_out:
        console.print(f"[dim]{counted(result.left_out, 'file')} beside them: no pictures, left out.[/]")
    if result.out is not None:
        resumed = f", {result.resumed:,} of them from the run that was stopped" if result.resumed else ""
        rate = f"{(result.pictures - result.resumed) / result.seconds:,.0f} pictures a second" if result.seconds else ""
        console.print(f"\nWritten to [bold]{plain(str(result.out))}[/]{resumed} [dim]({rate})[/]")
    if result.sorted_to is not None:
        console.print(f"By class in [bold]{plain(str(result.sorted_to))}[/]; the originals are where they were.")


def answers(rows: Answers, console: Console) -> None:
    """A line for each picture that could be read."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    known = [(name, answer) for name, answer in rows if not isinstance(answer, DataError)]
    if not known:
        return
    common = _common([name for name, _ in known])
    for head in _heads(known[0][1]):
        table.add_column(head, overflow="fold", justify="right" if head == "probability" else "left")
    for name, answer in known:
        table.add_row(plain(name[len(common) :]), *_cells(answer))
    console.print(table)
    if common:
        console.print(f"[dim]in {plain(common)}[/]")


def _common(names: Sequence[str]) -> str:
    """The folder that all lie in, to be said once where names are too long for a line."""
    if len(names) < 2 or max(map(len, names)) <= LONG:
        return ""
    with contextlib.suppress(ValueError):  # some are absolute, some are not
        return os.path.commonpath([Path(name).parent for name in names]) + "/"
    return ""


def _heads(answer: AnyPrediction) -> list[str]:
    if isinstance(answer, RegressionPrediction):
        return ["picture", *map(plain, answer.values)]
    return ["picture", "class", "probability", "next"] if isinstance(answer, Prediction) else ["picture", "labels"]


def _cells(answer: AnyPrediction) -> list[str]:
    if isinstance(answer, RegressionPrediction):
        return [f"{value:.5g}" for value in answer.values.values()]
    if isinstance(answer, MultiLabelPrediction):
        said = [f"[bold]{plain(name)}[/] [dim]{100 * answer.probabilities[name]:.1f} %[/]" for name in answer.labels]
        return [", ".join(said) or "[dim]none[/]"]
    others = {label: p for label, p in answer.probabilities.items() if label != answer.label}
    after = "".join(f"[dim]{plain(label)} {100 * p:.1f} %[/]" for label, p in most_probable(others, 1).items())
    label = f"[bold]{plain(answer.label)}[/]" if not answer.unsure else f"unsure [dim]({plain(answer.label)}?)[/]"
    return [label, f"{100 * answer.probability:.1f} %", after]


def _least_sure(rows: Answers, console: Console) -> None:
    """Those worth a look, of many that were not written to a table."""
    known = [(name, answer) for name, answer in rows if isinstance(answer, Prediction)]
    if known:
        console.print("\n[bold]The least sure[/]")
        answers(sorted(known, key=lambda row: row[1].probability)[:LEAST_SURE], console)
    if rows:
        console.print("\n[dim]All of them in a table: --out FILE.csv[/]")


def _counts(result: Predicted, console: Console) -> None:
    """Pictures by class with bars; of numbers there are none."""
    console.print(f"[bold]{counted(result.pictures, 'picture')}[/]")
    rows = list(result.classes.items())
    shown: list[tuple[str, int]] = [(plain(name), count) for name, count in rows[:CLASSES] if count]
    shown += [("[dim]unsure[/]", result.unsure)] if result.unsure else []
    shown += [("[dim]not readable[/]", result.unreadable)] if result.unreadable else []
    table = Table(box=None, pad_edge=False, show_header=False)
    for justify in ("left", "right", "left"):
        table.add_column(justify=justify, overflow="fold")
    most = max((count for _, count in shown), default=1)
    for name, count in shown:
        table.add_row(name, f"{count:,}", f"[cyan]{'█' * max(1, round(BAR * count / most))}[/]")
    console.print(table)
    if len(rows) > CLASSES:
        console.print(f"[dim]and {len(rows) - CLASSES:,} more classes[/]")
