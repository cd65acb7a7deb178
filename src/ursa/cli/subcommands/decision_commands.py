"""`ursa decide`, `ursa apply`, `ursa revert`: their arguments, and what they did in words."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ursa.cli.command_options import (
    Debug,
    Json,
    PatternOption,
    PictureOptions,
    Pictures,
    TableOption,
    WorkspaceOption,
)
from ursa.cli.guard import ANSWER_IS_NO
from ursa.cli.output import print_json
from ursa.core.text import counted

if TYPE_CHECKING:
    from ursa.cli.console import Console
    from ursa.diagnose.corrections_effect import CorrectionsEffect
    from ursa.workflow.results.applied_decisions import AppliedDecisions, RevertedDecisions
    from ursa.workflow.results.decided import Decided, DecisionList

LISTED = 12  # lines of a kind on the terminal; --json has all

Named = Annotated[
    list[str] | None,
    typer.Argument(help="Pictures: class/picture.jpg, or paths of files.", metavar="PICTURE", show_default=False),
]
Delete = Annotated[bool, typer.Option("--delete", help="It does not belong here.")]
Label = Annotated[
    str | None, typer.Option("--label", help="Its class is this one.", metavar="CLASS", show_default=False)
]
NewClass = Annotated[
    bool, typer.Option("--new-class", help="The label begins a class; with --from, all that are new do.")
]
Keep = Annotated[bool, typer.Option("--keep", help="Its label is right.")]
NotSure = Annotated[bool, typer.Option("--not-sure", help="It was looked at, and stays undecided.")]
Undo = Annotated[bool, typer.Option("--undo", help="Take back the latest decision of it.")]
Why = Annotated[str | None, typer.Option("--why", help="The reason, kept with it.", metavar="TEXT", show_default=False)]
Who = Annotated[str | None, typer.Option("--who", help="Who decides. [default: you]", metavar="NAME")]
From = Annotated[
    Path | None,
    typer.Option(
        "--from", help="A CSV file with columns picture, decision, label, why.", metavar="FILE", show_default=False
    ),
]
Duplicates = Annotated[bool, typer.Option("--duplicates", help="Delete all but one of identical files.")]
List = Annotated[bool, typer.Option("--list", help="Show the decisions that stand, and decide nothing.")]
IncludeOthers = Annotated[
    bool, typer.Option("--include-others", help="Also what another user of this workspace decided.")
]


def decide(
    data: Pictures,
    pictures: Named = None,
    delete: Delete = False,
    label: Label = None,
    new_class: NewClass = False,
    keep: Keep = False,
    not_sure: NotSure = False,
    undo: Undo = False,
    why: Why = None,
    who: Who = None,
    from_file: From = None,
    duplicates: Duplicates = False,
    list_: List = False,
    pattern: PatternOption = None,
    table: TableOption = None,
    workspace: WorkspaceOption = None,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Decide about pictures: delete, another label, keep. Nothing changes before `ursa apply`."""
    from ursa.errors import UrsaError

    words = {"delete": delete, "label": label is not None, "keep": keep, "not-sure": not_sure, "undo": undo}
    said = [name for name, given in words.items() if given]
    given = PictureOptions(data, workspace=workspace, pattern=pattern, table=table)
    if list_:
        if pictures or said or from_file or duplicates or why or who:
            raise UrsaError(
                "--list decides nothing", found="decisions beside it", fix=given.following("decide", "--list")
            )
        _list(given, json_)
        return
    if len(said) > 1:
        raise UrsaError("a picture is decided in one way at a time", found=", ".join(f"--{one}" for one in said))
    if from_file is None and not said and not duplicates:
        fix = "--delete, --label CLASS, --keep, --not-sure, --undo, --from FILE.csv or --duplicates; --list shows all"
        raise UrsaError("nothing is decided", found=f"{len(pictures or []):,} pictures", fix=fix)
    from ursa.workflow.deciding.decide import decide as run

    keywords = _as_read(given)
    asked: dict[str, Any] = {"label": label, "new_class": new_class, "why": why, "who": who, "from_file": from_file}
    asked["duplicates"] = duplicates
    result = run(data, pictures or [], said[0] if said else None, **asked, **keywords)
    if json_:
        print_json(result.to_json())
    else:
        show_decided(result, given, _console())


def apply(
    data: Pictures,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    move: Annotated[
        bool, typer.Option("--move", help="Move the files, too: into .ursa/removed/, or the other class folder.")
    ] = False,
    include_others: IncludeOthers = False,
    pattern: PatternOption = None,
    table: TableOption = None,
    workspace: WorkspaceOption = None,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Carry out decisions: check and train use the corrected labels. Exits 1 when a file could not be moved.

    Files stay where they are, unless --move is given. `ursa revert` takes all of it back.
    """
    from ursa.core import progress_display
    from ursa.workflow.deciding.apply import apply as run

    given = PictureOptions(data, workspace=workspace, pattern=pattern, table=table)
    with progress_display.shown() as bar:
        asked: dict[str, Any] = {"dry_run": dry_run, "move": move, "include_others": include_others, "progress": bar}
        result = run(data, **asked, **_as_read(given))
    if json_:
        print_json(result.to_json())
    else:
        show_applied(result, given, move, _console())
    if result.problems:
        raise typer.Exit(ANSWER_IS_NO)


def revert(
    data: Pictures,
    include_others: IncludeOthers = False,
    workspace: WorkspaceOption = None,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Take back what apply did: labels, and moved files, byte for byte. Exits 1 when a file could not be brought back.

    The decisions stay: `ursa apply` carries them out again.
    """
    from ursa.core import progress_display
    from ursa.workflow.deciding.apply import revert as run

    with progress_display.shown() as bar:
        result = run(data, include_others=include_others, workspace=workspace, progress=bar)
    if json_:
        print_json(result.to_json())
    else:
        show_reverted(result, PictureOptions(data, workspace=workspace), _console())
    if result.problems:
        raise typer.Exit(ANSWER_IS_NO)


def show_decided(result: "Decided", given: PictureOptions, console: "Console") -> None:
    """How many decisions, which copies they hold for, the next command."""
    from ursa.cli.console import plain

    if not result.decisions:
        console.print("There are no identical files of one label to decide about.")
        return
    console.print(f"[bold]{counted(len(result.decisions), 'decision')} saved[/]")
    lines = []
    for decided in result.decisions:
        others = ", ".join(result.copies.get(decided.id, ()))
        if not others or decided.kind == "undo":
            continue
        held = "and is deleted alone" if decided.copies else "decided with it"
        lines.append(f"{plain(decided.id)} [dim]has the same bytes as {plain(others)}, {held}[/]")
    _some(lines, console)
    console.print(f"\nNot applied yet: {counted(result.open, 'decision')}.")
    console.print(f"\n[dim]Next:   [/] {plain(given.following('apply', '--dry-run'))}", soft_wrap=True)


def show_list(result: "DecisionList", given: PictureOptions, console: "Console") -> None:
    """The decisions that stand, one a line."""
    from rich.table import Table

    from ursa.cli.console import plain

    if not result.decisions:
        console.print("Nothing is decided about these pictures.")
    else:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for name in ("picture", "decision", "state", "who", "when", "why"):
            table.add_column(name, overflow="fold", style="dim" if name in ("who", "when", "why") else "")
        for one in result.decisions:
            copy = " (this copy)" if one.copies else ""
            said = f"{one.given or 'no label'} -> {one.label}" if one.label else one.kind.replace("-", " ") + copy
            cells = (one.id, said, result.state(one), one.who, one.when[:10], one.why or "")
            table.add_row(*(plain(cell) for cell in cells))
        console.print(table)
    if result.others:
        console.print(
            f"\n[yellow]![/] {counted(result.others, 'decision')} of another user: `ursa apply` leaves them out, "
            "or takes them in with --include-others."
        )
    if result.damaged:
        console.print(f"\n[yellow]![/] Damaged in the journal, and not read: {counted(result.damaged, 'line')}.")
    if result.open:
        console.print(f"\n[dim]Next:   [/] {plain(given.following('apply', '--dry-run'))}", soft_wrap=True)


def show_applied(result: "AppliedDecisions", given: PictureOptions, move: bool, console: "Console") -> None:
    """What changed, or would; what it did to the probe; the next command."""
    from ursa.clean.decisions.corrections import done_to
    from ursa.cli.console import plain

    would = "would be " if result.dry_run else ""
    if not (result.decisions or result.moved_back or result.others):
        console.print("Nothing is decided about these pictures.")
        console.print(f"\n[dim]Next:   [/] {plain(given.following('decide', '--help'))}", soft_wrap=True)
        return
    labels, gone = counted(len(result.relabeled), "label"), counted(len(result.removed), "picture")
    console.print(f"[bold]{labels} {would}{done_to(result.relabeled)}, {gone} {would}left out[/]")
    _some(
        [f"{plain(one.id)}: {plain(one.given or 'no label')} -> {plain(one.label)}" for one in result.relabeled],
        console,
    )
    _some([f"{plain(id)}: left out" for id in result.removed], console)
    if result.new_classes:
        new = "a class" if len(result.new_classes) == 1 else "classes"
        console.print(f"\nNew: {plain(', '.join(result.new_classes))}, {new} that the pictures had none of before.")
    if move or result.moved:
        console.print(f"\n{counted(len(result.moved), 'file')} {would}moved.")
        _some([f"{plain(one.origin)} -> {plain(one.to)}" for one in result.moved], console)
    if result.moved_back:
        files = counted(len(result.moved_back), "file")
        console.print(f"\n{files} {would}moved back: what was decided does not stand any more.")
    left = [f"{plain(one.decision.id)} [dim]({one.decision.kind}): {plain(one.reason)}[/]" for one in result.left_out]
    if left:
        console.print(f"\n[yellow]![/] {len(left):,} {would}not carried out:")
        _some(left, console)
    if result.problems:
        console.print(f"\n[red]x[/] {counted(len(result.problems), 'file')} could not be moved:")
        _some([plain(one) for one in result.problems], console)
    if result.others:
        console.print(
            f"\n[dim]{counted(result.others, 'decision')} of another user left out; --include-others takes them.[/]"
        )
    if not result.dry_run:
        _effect(result.effect, console)
        if result.left is not None and result.left.left is not None:
            console.print(f"\n{plain(result.left.sentence)}")
    more = ["--move"] * move
    following = given.following("apply", *more) if result.dry_run else given.following("check")
    console.print(f"\n[dim]Next:   [/] {plain(following)}", soft_wrap=True)


def show_reverted(result: "RevertedDecisions", given: PictureOptions, console: "Console") -> None:
    """What was taken back."""
    from ursa.cli.console import plain

    if not (result.reverted or result.moved_back or result.problems):
        console.print("Nothing was applied here: nothing to take back.")
        return
    files = f", {counted(len(result.moved_back), 'file')} brought back" if result.moved_back else ""
    console.print(f"[bold]{counted(result.reverted, 'decision')} taken back{files}[/]")
    console.print("[dim]They stay in the journal, and can be applied again.[/]")
    if result.problems:
        console.print(f"\n[red]x[/] {counted(len(result.problems), 'file')} could not be brought back:")
        _some([plain(one) for one in result.problems], console)
    console.print(f"\n[dim]Next:   [/] {plain(given.following('check'))}", soft_wrap=True)


def _effect(effect: "CorrectionsEffect | str", console: "Console") -> None:
    """The probe before and after, judged by both sets of labels."""
    from rich.table import Table

    from ursa.cli.console import plain

    if isinstance(effect, str):
        if effect:
            console.print(f"\n[dim]What it did to the probe: {plain(effect)}.[/]")
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("judged by")
    for name in ("before", "after", "difference", "95 % interval"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, paired in (("the old labels", effect.by_old), ("the corrected labels", effect.by_corrected)):
        after, before = paired.accuracies()
        gap = paired.difference
        cells = [f"{100 * one.value:.1f} %" for one in (before, after)]
        table.add_row(name, *cells, f"{100 * gap.value:+.1f} points", f"{100 * gap.low:+.1f} to {100 * gap.high:+.1f}")
    console.print(f"\nThe probe before and after, on the same {effect.pictures:,} pictures, each held out:\n")
    console.print(table)
    console.print(f"\n{plain(effect.sentence)}")
    console.print(
        "[dim]Old labels favor the probe that learned their errors, corrected ones the probe that helped to find them: "
        "so both judge.[/]"
    )


def _some(lines: list[str], console: "Console") -> None:
    for line in lines[:LISTED]:
        console.print(f"  {line}", soft_wrap=True)
    if len(lines) > LISTED:
        console.print(f"  [dim]and {len(lines) - LISTED:,} more, all in --json[/]")


def _list(given: PictureOptions, json_: bool) -> None:
    from ursa.workflow.deciding.decide import decisions

    result = decisions(given.data, workspace=given.workspace)
    if json_:
        print_json(result.to_json())
    else:
        show_list(result, given, _console())


def _as_read(given: PictureOptions) -> dict[str, Any]:
    """The keywords that say how the pictures are read; these commands need no backbone."""
    keywords = given.keywords(resumed=True)
    return {name: keywords.get(name) for name in ("pattern", "table", "workspace")}


def _console() -> "Console":
    from ursa.cli.console import Console

    return Console()
