"""`ursa evaluate`: its arguments, and its exit code."""

from typing import Any

import typer

from ursa.cli.command_options import (
    Bundle,
    CostOption,
    Debug,
    Json,
    MaxError,
    OutWithThresholds,
    PatternOption,
    PictureOptions,
    Pictures,
    ReportOption,
    TableOption,
    WorkspaceOption,
    costs_of,
)
from ursa.cli.output import print_json


def evaluate(
    bundle: Bundle,
    data: Pictures,
    pattern: PatternOption = None,
    table: TableOption = None,
    workspace: WorkspaceOption = None,
    report: ReportOption = None,
    cost: CostOption = None,
    max_error: MaxError = None,
    out: OutWithThresholds = None,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """How a model does on other pictures, and from what probability on to answer.

    Exits 1 when no threshold can promise --max-error on these pictures; the bundle is not written then.
    """
    from ursa.core import progress_display

    given = PictureOptions(data, workspace=workspace, pattern=pattern, table=table)
    with progress_display.shown() as bar:
        from ursa.workflow.evaluate import evaluate as run

        asked: dict[str, Any] = {"costs": costs_of(cost), "max_error": max_error, "out": out, "report": report}
        # the bundle has its own backbone
        result = run(bundle, data, progress=bar, **asked, **given.keywords(resumed=True))
    if json_:
        print_json(result.to_json())
    else:
        from ursa.cli import results_text as shows
        from ursa.cli.console import Console

        shows.evaluated(result, Console())
    if not result.promised:
        raise typer.Exit(1)
