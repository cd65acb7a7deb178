"""How a bundle does on labelled pictures -> the page of `ursa evaluate --report`."""

import math
import shlex
from collections.abc import Mapping, Sequence

from ursa.core.finding import Finding
from ursa.core.statistics import Estimate
from ursa.core.text import counted
from ursa.diagnose import next_steps as steps
from ursa.diagnose.charts import text
from ursa.diagnose.judged import Judged
from ursa.diagnose.mistake_sample import mistake_sample
from ursa.diagnose.next_steps import Commands, NextStep
from ursa.diagnose.report.class_scores import class_section
from ursa.diagnose.report.confusion_part import confusion_section
from ursa.diagnose.report.finding_groups import finding_sections
from ursa.diagnose.report.first_screen import FirstScreen
from ursa.diagnose.report.html_page import Section, html_page
from ursa.diagnose.report.mistakes_part import mistakes_section
from ursa.diagnose.report.pictured import Pictured
from ursa.diagnose.report.report_info import ReportInfo

NAMED = 200


def evaluation_page(
    judged: Judged,
    accuracy: Estimate,
    findings: Sequence[Finding] = (),
    problems: Mapping[str, str] | None = None,
    info: ReportInfo | None = None,
    read: str = "",
) -> str:
    """judged: what a model says of pictures that it did not learn from; problems: why files could not be judged, by id;
    read: the command that reads the tags of mistakes."""
    info, problems = info or ReportInfo(), problems or {}
    sample, names = mistake_sample(judged), judged.labels.names
    shown = Pictured.of(judged.catalog, findings, judged, sample, None, info)
    unknown = math.isnan(accuracy.value)
    hundred = "" if unknown else f"The model gets about {100 * accuracy.value:.0f} of 100 of these pictures right."
    left_out = f", {counted(len(problems), 'file')} left out: cannot be read" if problems else ""
    first = FirstScreen(
        title=judged.catalog.root.resolve().name,
        kind="Evaluation",
        verdict=hundred or "The model learned from all of these pictures, so nothing is known about new ones.",
        tone="warn" if unknown else "good",
        accuracy=accuracy,
        measured=f"{accuracy.method.partition(';')[0].capitalize()}.",
        steps=_steps(judged, unknown, findings, info, read),
        facts={
            "pictures": f"{len(judged.catalog):,}{left_out}",
            "classes": f"{len(names):,}",
            "model": info.bundle,
            "evaluated": info.date,
            "command": info.command,
        },
    )
    counts = dict(zip(names, judged.confusion.sum(1).tolist(), strict=True))
    sections = [
        class_section(judged.confusion, names, counts),
        confusion_section(judged.confusion, names),
        *([mistakes_section(sample, shown.gallery, "the model", read)] if sample.pictures else []),
        *finding_sections(findings, shown.gallery),
        _unusable(problems),
    ]
    return html_page(f"{first.title}: evaluation", first.to_html(), sections, info, shown.data, shown.style)


def _steps(judged: Judged, unknown: bool, findings: Sequence[Finding], info: ReportInfo, read: str) -> list[NextStep]:
    if unknown:
        why = "Only pictures that a model did not learn from tell how good it is."
        return [NextStep("Evaluate on other pictures", why, f"ursa evaluate {shlex.quote(info.bundle)} FOLDER")]
    others = [finding for finding in findings if finding.kind != "learned-from"]  # the accuracy is without those
    error = 1 - float((judged.after.argmax(1) == judged.targets).mean())
    return steps.next_steps(
        [
            *steps.from_findings(others, len(judged.catalog), error, Commands(info.command)),
            *steps.from_confusion(judged.confusion, judged.labels.names, read),
            *steps.from_sure_mistakes(judged.after, judged.targets, info.command),
        ]
    )


def _unusable(problems: Mapping[str, str]) -> Section:
    items = "".join(f"<li><code>{text(id)}</code> {text(why)}</li>" for id, why in list(problems.items())[:NAMED])
    left = f"<p>... and {len(problems) - NAMED:,} more: see --json.</p>" if len(problems) > NAMED else ""
    html = f'<ul class="names">{items}</ul>{left}' if problems else ""
    return Section("unusable", "Files that cannot be used", html, f"{len(problems):,}", "warn")
