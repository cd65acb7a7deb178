"""Results -> text for people. Everything goes to the console it is given."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.columns import Columns
from rich.console import Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ursa.cli import terminal_pictures
from ursa.cli.class_table import class_table, most_confused
from ursa.cli.console import Console, plain
from ursa.cli.output import path_word, shell_line
from ursa.core.finding import KINDS, Finding, by_kind, kind_of
from ursa.core.statistics import Estimate

if TYPE_CHECKING:
    from ursa.data.download.downloader import Failure
    from ursa.workflow.check import Checked
    from ursa.workflow.demo import Demonstrated
    from ursa.workflow.download import Downloaded
    from ursa.workflow.results.evaluated import Evaluated
    from ursa.workflow.results.trained import Trained
    from ursa.workflow.training_run.minutes import Weighed

FEW = 10  # failed URLs that are all listed on the terminal
LISTED = 5  # findings of a kind on the terminal; the report and --json have more

MARKS = {"bad": "[red]x[/]", "warn": "[yellow]![/]", "note": "[blue]i[/]"}  # by the tone of a kind


def checked(result: "Checked", following: str, console: Console, review: str = "") -> None:
    """The summary of `ursa check`; `following` is the next command, `review` the one to look at what was found."""
    from ursa.diagnose import abstain

    console.print(_counted(result))
    if math.isnan(result.accuracy.value):
        console.print(f"\n{plain(result.accuracy.method.capitalize())}.")
    else:
        console.print()
        console.print(class_table(result.catalog.counts(), result.confusion, result.labels.names))
        sealed = len(result.catalog.usable()) - int(result.confusion.sum())
        aside = f" The {sealed:,} test pictures were not used." if sealed else ""
        console.print(f"\nA linear probe's cross-validated accuracy is [bold]{_percent(result.accuracy)}[/].{aside}")
        console.print(most_confused(result.confusion, result.labels.names))
        console.print(f"\n{plain(result.more_pictures)}\n{plain(abstain.described(result.thresholds))}")
    findings(result.findings, console)
    if words := str(result.label_audit):
        console.print(f"\n{plain(words)}")
    if result.engine["problem"]:
        console.print(f"\n[dim]Embedded by torch. {plain(result.engine['problem'])}[/]")
    unlabeled = not result.labels and result.catalog.task == "single-label"
    to_see = result.label_audit.doubtful or any(kind_of(one.kind).about != "data" for one in result.findings)
    look = (("Review", review),) if review and to_see and review != following else ()
    goes_on = () if math.isnan(result.accuracy.value) and not unlabeled else (("Next", following),)
    _paths(console, ("Report", result.report), *look, *goes_on)


def downloaded(result: "Downloaded", following: str, console: Console) -> None:
    """The summary of `ursa download`; `following` is the next command."""
    size = f"{result.bytes / 1e6:,.1f} MB" if result.bytes >= 1e5 else f"{result.bytes / 1e3:,.1f} kB"
    speed = f", {size} in {result.seconds:,.1f} s" if result.fetched else ""
    console.print(f"[bold]{result.fetched:,} {_pictures(result.fetched)} fetched[/]{speed}\n")
    failed = Counter(failure.label for failure in result.failures)
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("class", overflow="fold")
    table.add_column("pictures", justify="right")
    table.add_column("failed", justify="right")
    for name, count in result.classes.items():
        table.add_row(plain(name), f"{count:,}", f"{failed[name]:,}" if failed[name] else "")
    console.print(table)
    notes = [
        f"{result.already:,} fetched before" if result.already else "",
        f"{result.duplicates:,} found twice in a class, kept once" if result.duplicates else "",
        f"{result.removed:,} fetched before and removed since; --again fetches them again" if result.removed else "",
    ]
    if any(notes):
        console.print("\n" + "\n".join(note for note in notes if note), soft_wrap=True)
    _failures(result.failures, console)
    _paths(console, ("Folder", result.folder), *([("Next", following)] if result.pictures else []))


def trained(result: "Trained", console: Console) -> None:
    """The summary of `ursa train`."""
    parts = ", ".join(f"{count:,} {name}" for name, count in result.pictures.items() if count)
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_row("Probe", _percent(result.probe))
    if result.kept == "fine-tuned":
        table.add_row("Fine-tuned", _percent(result.accuracy), "[bold green]kept[/]")
    else:
        table.add_row("Kept", "the probe")
    table.add_row("Measured on", plain(result.accuracy.method.split(";")[0]))
    if len(result.parts) > 1:
        for name, accuracy in result.parts.items():
            table.add_row(f"On {name}", _percent(accuracy))
    table.add_row("Pictures", parts)
    if result.weighed:
        _weighed(result.weighed, console)
    console.print(table)
    for said in (result.verdict, result.agreement, result.gaps):
        console.print(f"\n{plain(said.evidence)}\n[dim]{plain(said.advice)}[/]")
    if result.training is not None:
        console.print()
        training_verdict(result.training, console)
    if result.findings:
        findings(result.findings, console)
    following = shell_line(["ursa", "serve", path_word(result.bundle)])
    _paths(console, ("Bundle", result.bundle), ("Report", result.report), ("Next", following))


def training_verdict(verdict: Finding, console: Console) -> None:
    """What a training's history says of it, in three lines."""
    kind = kind_of(verdict.kind)
    console.print(f"{MARKS[kind.tone]} [bold]{plain(kind.title_of_one)}[/]")
    console.print(Padding(f"{plain(verdict.evidence)}\n[dim]{plain(verdict.advice)}[/]", (0, 0, 0, 4)))


def demonstrated(result: "Demonstrated", to: Path, console: Console) -> None:
    """The summary of `ursa demo`: both summaries, some pictures with their predictions, and the next commands."""
    from ursa import sandbox
    from ursa.prepared.default_backbone import LEARNED

    train = shell_line(["ursa", "train", path_word(result.folder), "--backbone", LEARNED])
    console.rule("check", align="left")
    checked(result.checked, train, console)
    console.print()
    console.rule("train", align="left")
    trained(result.trained, console)
    console.print()
    console.rule("predict", align="left")
    cards = []
    for file, label, predicted in result.predictions:
        pixels = sandbox.read(file.read_bytes()).pixels
        words = Text(f"{predicted.label}  {100 * predicted.probability:.1f} %\n(label: {label})\n")
        cards.append(Group(terminal_pictures.picture(pixels, console, 16), words))
    console.print(Columns(cards, padding=(0, 3)))
    console.print("Now with your own pictures, one folder per class:\n")
    console.print("  ursa check pictures/", "  ursa train pictures/ --out model.ursa", sep="\n")
    serve = shell_line(["ursa", "serve", path_word(to / "digits.ursa")])
    console.print(f"\nOr try this model in the browser: {plain(serve)}", soft_wrap=True)


def evaluated(result: "Evaluated", console: Console) -> None:
    """The summary of `ursa evaluate`."""
    names, new = result.labels.names, int(result.confusion.sum())
    if new:
        which = f"the {new:,} pictures that it did not learn from" if result.learned_from else f"{new:,} pictures"
        console.print(f"Accuracy [bold]{_percent(result.accuracy)}[/] on {which}.\n")
        counts = {name: int(row.sum()) for name, row in zip(names, result.confusion, strict=True)}
        console.print(class_table(counts, result.confusion, names))
        console.print(most_confused(result.confusion, names))
    else:
        console.print("The model learned from all of these pictures: its accuracy on new ones is not known.")
    _operating_points(result, console)
    _unusable(result.problems, LISTED, console)
    if result.findings:
        findings(result.findings, console)
    if result.report is not None:
        _paths(console, ("Report", result.report))
    if result.bundle is not None:
        _paths(console, ("Bundle", result.bundle))


def _operating_points(result: "Evaluated", console: Console) -> None:
    """Classes with costs, and the threshold for a wanted share of errors."""
    for each in result.curves:
        if (point := each.point) is not None:
            console.print(
                f"\n[bold]{plain(each.name)}[/] is answered from {100 * point.costs.threshold:.3g} % on: "
                f"recall {_percent(point.recall)}, precision {_percent(point.precision)}."
            )
    if (saved := result.saved) is not None:
        said = "saves" if saved.low > 0 else "costs more:" if saved.high < 0 else "makes no difference that shows:"
        interval = f"95 % interval {saved.low:.3g} to {saved.high:.3g}"
        console.print(f"Deciding so {said} {saved.value:.3g} a picture [dim]({interval})[/].")
    if result.abstain is not None:
        console.print(f"\n{plain(str(result.abstain).capitalize())}.")


def findings(found: Sequence[Finding], console: Console) -> None:
    """What was found, by kind, the most pressing first."""
    if not found:
        console.print("\n[green]Nothing was found: every file can be read, and there are no duplicates.[/]")
        return
    for name, some in by_kind(found).items():
        kind = kind_of(name)
        console.print(f"\n{MARKS[kind.tone]} [bold]{plain(kind.counted(len(some)))}[/]")
        lines = _one_sentence(some) if kind.about == "pictures" else []
        for finding in [] if lines else some[:LISTED]:
            where = "" if kind.about == "data" or not finding.where else f"{plain(', '.join(finding.where[:3]))}: "
            lines.append(f"{where}[dim]{plain(finding.evidence)}[/]")
        if len(some) > LISTED:
            lines.append(f"[dim]and {len(some) - LISTED:,} more[/]")
        console.print(Padding("\n".join([*lines, plain(some[0].advice)]), (0, 0, 0, 4)))


def _one_sentence(found: Sequence[Finding]) -> list[str]:
    """The sentence that several findings of a picture each share, then the pictures; nothing where they differ."""
    if len(found) < 2 or any(len(one.where) != 1 or one.evidence != found[0].evidence for one in found):
        return []
    return [f"[dim]{plain(found[0].evidence)}[/]", *(plain(one.where[0]) for one in found[:LISTED])]


def _unusable(problems: Mapping[str, str], most: int, console: Console) -> None:
    """Files that could not be judged, with the reasons, `most` of them."""
    problem_list(KINDS["broken-file"].counted(len(problems)), problems, most, "more, all in --json", console)


def problem_list(title: str, problems: Mapping[str, str], most: int, more: str, console: Console) -> None:
    """What is wrong, by name, `most` of them; nothing where there are none. more: what is said of the others."""
    if not problems:
        return
    console.print(f"\n{MARKS['warn']} [bold]{title}[/]")
    lines = [f"{plain(name)}: [dim]{plain(problem)}[/]" for name, problem in list(problems.items())[:most]]
    lines += [f"[dim]and {len(problems) - most:,} {more}[/]"] if len(problems) > most else []
    console.print(Padding("\n".join(lines), (0, 0, 0, 4)))


def _weighed(ways: "Sequence[Weighed]", console: Console) -> None:
    """The plans that were compared for the given time, with a mark at the chosen one."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    several = len({way.backbone for way in ways}) > 1
    for name in (
        *(["backbone"] if several else []),
        "picture size",
        "time per picture",
        "epochs",
        "total time",
        "",
    ):
        table.add_column(name, justify="left" if name in ("backbone", "") else "right")
    for way in ways:
        cells = [
            f"{way.size} px",
            f"{1000 * way.seconds_per_picture:,.0f} ms",
            f"{way.epochs:.1f}" if way.epochs else "probe only",
        ]
        cells += [
            f"{way.ends:,.0f} s",
            "[bold green]chosen[/]" if way.chosen else "" if way.fits else "[dim]too long[/]",
        ]
        table.add_row(*([plain(way.backbone)] if several else []), *cells)
    console.print(table)
    console.print()


def _failures(failures: "Sequence[Failure]", console: Console) -> None:
    """One line for each while they are few; by reason and counted when there are many."""
    if not failures:
        return
    reasons = Counter(_kind(failure.reason) for failure in failures)
    before = sum(failure.before for failure in failures)
    aside = f" [dim]({before:,} of them before; --again tries them again)[/]" if before else ""
    console.print(f"\n[yellow]![/] [bold]{len(failures):,} {'URL' if len(failures) == 1 else 'URLs'} failed[/]{aside}")
    for reason, count in reasons.most_common():
        console.print(Padding(f"{count:,} x {plain(reason)}", (0, 0, 0, 4)))
        some = [failure for failure in failures if _kind(failure.reason) == reason]
        few = len(some) if len(failures) <= FEW else min(len(some), 2)
        lines = [
            f"[dim]{plain(failure.label)}:[/] {plain(failure.url)}[dim]{plain(failure.reason[len(reason) :])}[/]"
            for failure in some[:few]
        ]
        if len(some) > few:
            lines.append(f"[dim]and {len(some) - few:,} more, all in --json[/]")
        console.print(Padding("\n".join(lines), (0, 0, 0, 6)))


def _counted(result: "Checked") -> str:
    """As many pictures as the table below adds up to, and what is left out of it."""
    catalog, classes = result.catalog, len(result.labels)
    counted = catalog.usable() if classes else catalog.readable()
    broken = len(catalog) - len(catalog.readable())
    unlabeled = len(catalog.readable()) - len(counted)
    aside = [f"{broken:,} cannot be read"] * bool(broken) + [f"{unlabeled:,} without a label"] * bool(unlabeled)
    head = f"{len(counted):,} {_pictures(len(counted))}"
    if classes:
        head += f" in {classes:,} {'class' if classes == 1 else 'classes'}"
    if not aside:
        return f"[bold]{head}[/]"
    files = broken + unlabeled
    reasons = ", ".join(aside) if len(aside) > 1 else aside[0].partition(" ")[2]
    return f"[bold]{head}[/], {files:,} {'file' if files == 1 else 'files'} left out: {reasons}"


def _kind(reason: str) -> str:
    """A reason without what is in brackets at its end: the line of the list, the number of attempts."""
    return reason.partition(" (")[0]


def _pictures(count: int) -> str:
    return "picture" if count == 1 else "pictures"


def _percent(metric: Estimate) -> str:
    return f"{100 * metric.value:.1f} % [dim](95 % interval {100 * metric.low:.1f} to {100 * metric.high:.1f})[/]"


def _paths(console: Console, *rows: tuple[str, object]) -> None:
    console.print()
    for name, what in rows:
        console.print(f"[dim]{name + ':':8}[/] {plain(str(what))}", soft_wrap=True)
