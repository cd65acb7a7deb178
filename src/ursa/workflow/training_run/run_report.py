"""What a run came to -> report.html in its folder, and beside it its history, its predictions and its mistakes."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ursa.core.finding import Finding
from ursa.diagnose import report
from ursa.diagnose.report import ReportInfo
from ursa.prepared.setup import Prepared
from ursa.prepared.splitting import Parts
from ursa.recipe import Recipe
from ursa.workflow import mistake_sheet
from ursa.workflow.mistake_sheet import write_mistakes
from ursa.workflow.training_run import training_diagnosed
from ursa.workflow.training_run.measured_parts import MeasuredParts
from ursa.workflow.training_run.top_loss_maps import top_loss_maps
from ursa.workspace import write_json, write_text

if TYPE_CHECKING:
    from ursa.training.fine_tuning import Outcome


def write_run_report(
    ready: Prepared,
    run: str,
    info: ReportInfo,
    parts: Parts,
    recipe: Recipe,
    outcome: "Outcome",
    measured: MeasuredParts,
    findings: Sequence[Finding],
    training: Finding | None,
    *,
    hurry: bool,
) -> None:
    """training: what the history says, None where nothing was trained; hurry: without what takes seconds."""
    folder, judged = ready.space.run(run), measured.judged
    looks = training is not None and not hurry  # a run that trained nothing ends in less time than the maps take
    maps = top_loss_maps(outcome.model, judged, ready.engine.about.preparation) if looks else None
    write_json(folder / "history.json", training_diagnosed.document(outcome, parts, recipe))
    page = report.train_page(
        outcome.epochs,
        outcome.verdict,
        judged,
        list(findings),
        measured.agreement,
        training=training,
        gaps=measured.gaps,
        maps=maps,
        embeddings=ready.embeddings,
        info=info,
    )
    write_text(folder / "report.html", page)
    write_mistakes(judged, folder / mistake_sheet.NAME)
    measured.predictions.write(ready.space, run)
