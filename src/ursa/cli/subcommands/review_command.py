"""`ursa review`: the page on which people look at what the check found, until Ctrl-C."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ursa.cli.command_options import (
    BackboneOption,
    Debug,
    Json,
    PatternOption,
    PictureOptions,
    Pictures,
    TableOption,
    WeightsOption,
    WorkspaceOption,
)
from ursa.cli.output import print_json, say
from ursa.core.text import counted

if TYPE_CHECKING:
    from ursa.workflow.deciding.reviewing import Review


def review(
    data: Pictures,
    port: Annotated[int, typer.Option("--port", help="0 takes any free one.")] = 0,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Only say the address.")] = False,
    backbone: BackboneOption = None,
    weights: WeightsOption = None,
    pattern: PatternOption = None,
    table: TableOption = None,
    workspace: WorkspaceOption = None,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Look at what check found, and decide, on a page in the browser of this machine, until Ctrl-C.

    Pictures that were not checked yet are checked first. Decisions are saved at once; `ursa apply` carries them out.
    """
    import gc

    from ursa.core import progress_display
    from ursa.workflow.deciding.reviewing import review as run

    given = PictureOptions(data, backbone, weights, workspace, pattern, table)
    with progress_display.shown() as bar:
        keywords: dict[str, Any] = given.keywords(resumed=True)
        page = run(data, port=port, browser=not no_browser, progress=bar, **keywords)
    gc.freeze()  # what was read stays: to look through 50,000 items for garbage would halt the page for half a second
    say(f"Open {page.url} in a browser on this machine. Ctrl-C ends.")
    try:
        page.wait()
    except KeyboardInterrupt:
        say("")
    page.stop()
    if json_:
        print_json(page.to_json())
    else:
        _ended(page, given)


def _ended(page: "Review", given: PictureOptions) -> None:
    say(f"{counted(page.saved, 'decision')} saved.")
    if page.saved:
        say(f"Next: {given.following('apply', '--dry-run')}")
