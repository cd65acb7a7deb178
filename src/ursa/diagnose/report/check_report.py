"""What `ursa check` found -> its page."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from ursa.core.finding import Finding, by_kind, kind_of
from ursa.core.labels import Labels
from ursa.core.statistics import Estimate
from ursa.core.text import counted
from ursa.data.catalog import Catalog
from ursa.diagnose import next_steps as steps
from ursa.diagnose.abstain import Threshold
from ursa.diagnose.calibration import Reliability
from ursa.diagnose.judged import Judged
from ursa.diagnose.mistake_sample import mistake_sample
from ursa.diagnose.more_data.more_pictures import MorePictures
from ursa.diagnose.next_steps import Commands, NextStep
from ursa.diagnose.report.class_scores import class_section
from ursa.diagnose.report.confusion_part import confusion_section
from ursa.diagnose.report.finding_groups import finding_sections
from ursa.diagnose.report.first_screen import FirstScreen
from ursa.diagnose.report.html_page import Section, html_page
from ursa.diagnose.report.mistakes_part import mistakes_section
from ursa.diagnose.report.outlook_part import more_pictures_section, when_to_answer_section
from ursa.diagnose.report.picture_map import map_section
from ursa.diagnose.report.pictured import Pictured
from ursa.diagnose.report.report_info import ReportInfo
from ursa.embed.store import Embeddings

WHO = "a linear probe that had not learned from the picture"


def check_page(
    catalog: Catalog,
    labels: Labels,
    findings: Sequence[Finding],
    accuracy: Estimate,
    confusion: npt.NDArray[np.int64],
    more_pictures: MorePictures | None = None,
    calibration: Reliability | None = None,
    thresholds: Sequence[Threshold] = (),
    *,
    judged: Judged | None = None,
    embeddings: Embeddings | None = None,
    info: ReportInfo | None = None,
) -> str:
    """The report of `ursa check`. judged: what the probe says of the pictures out of fold."""
    info = info or ReportInfo()
    sample = None if judged is None else mistake_sample(judged)
    shown = Pictured.of(catalog, findings, judged, sample, embeddings, info)
    first = FirstScreen(
        title=catalog.root.resolve().name,
        kind="Check",
        verdict=_verdict(accuracy, confusion, labels.names, findings),
        tone="bad" if _spoiled(findings, len(catalog)) else "" if math.isnan(accuracy.value) else "good",
        accuracy=accuracy,
        measured=_measured(accuracy, catalog, confusion),
        steps=_steps(findings, accuracy, confusion, labels.names, judged, info),
        facts=_facts(catalog, labels, info),
    )
    read = info.following("error-analysis")
    sections = [
        class_section(confusion, labels.names, catalog.counts()) if len(labels) else Section("classes", "Classes", ""),
        confusion_section(confusion, labels.names),
        *([mistakes_section(sample, shown.gallery, WHO, read)] if sample and sample.pictures else []),
        map_section(shown.map),
        *finding_sections(findings, shown.gallery, info.following("review")),
        more_pictures_section(more_pictures),
        when_to_answer_section(calibration, thresholds),
    ]
    if not findings:
        nothing = "<p>Nothing was found: every file can be read, and there are no duplicates.</p>"
        sections.append(Section("findings", "Findings", nothing))
    return html_page(f"{first.title}: check", first.to_html(), sections, info, shown.data, shown.style)


def _verdict(
    accuracy: Estimate, confusion: npt.NDArray[np.int64], names: Sequence[str], findings: Sequence[Finding]
) -> str:
    """One sentence."""
    if spoiled := _spoiled(findings, int(confusion.sum())):
        return f"Mend the data first: {spoiled}, so that figures about a model are not to be trusted yet."
    if math.isnan(accuracy.value):
        return f"The pictures were checked, and {counted(len(findings), 'thing')} found; there is no accuracy to tell."
    usual = int(confusion.sum(1).max()) / max(1, int(confusion.sum()))
    if accuracy.low <= usual:
        often = names[int(confusion.sum(1).argmax())]
        return f"No better than to say {often!r} every time: nothing in these pictures tells the classes apart so far."
    return f"A simple model gets {_of_hundred(accuracy.value)} new pictures right{_mostly(confusion, names)}."


def _of_hundred(share: float) -> str:
    hundred = min(99, round(100 * share)) if share < 1 else 100
    return "all" if hundred == 100 else f"about {hundred} of 100"


def _mostly(confusion: npt.NDArray[np.int64], names: Sequence[str]) -> str:
    """What most mistakes are, where two classes make a third of them."""
    wrong = int(confusion.sum() - np.trace(confusion))
    both = np.triu(confusion + confusion.T, 1)
    if len(names) < 3 or wrong < 3 or both.max() * 3 < wrong:
        return ""
    a, b = map(int, np.unravel_index(both.argmax(), both.shape))
    return f"; {int(both[a, b]):,} of its {wrong:,} mistakes confuse {names[a]} and {names[b]}"


def _spoiled(findings: Sequence[Finding], pictures: int) -> str:
    """What makes figures wrong, counted; "" where nothing does."""
    found = by_kind(findings)
    return next((kind_of(name).counted(len(some)) for name, some in found.items() if steps.spoils(some, pictures)), "")


def _measured(accuracy: Estimate, catalog: Catalog, confusion: npt.NDArray[np.int64]) -> str:
    if math.isnan(accuracy.value):
        return f"{accuracy.method[:1].upper()}{accuracy.method[1:]}."
    sealed = len(catalog.usable()) - int(confusion.sum())
    aside = f" The {sealed:,} test pictures were not used." if sealed > 0 else ""
    return (
        "Of a linear probe, the simplest classifier on top of the backbone, cross-validated: each picture is judged by "
        f"a probe that had not seen it. A trained model may do better.{aside}"
    )


def _steps(
    findings: Sequence[Finding],
    accuracy: Estimate,
    confusion: npt.NDArray[np.int64],
    names: Sequence[str],
    judged: Judged | None,
    info: ReportInfo,
) -> list[NextStep]:
    pictures = int(confusion.sum())
    error = 0.0 if math.isnan(accuracy.value) else 1 - accuracy.value
    found = steps.from_findings(
        findings, pictures, error, Commands(info.following("check"), info.collect, info.following("review"))
    )
    if not math.isnan(accuracy.value):
        found += steps.from_confusion(confusion, names, info.following("error-analysis"))
        found += (
            []
            if judged is None
            else steps.from_sure_mistakes(
                judged.after, judged.targets, info.following("check"), info.following("review")
            )
        )
        found.append(steps.from_training(error, info.following("train")))
    return steps.next_steps(found)


def _facts(catalog: Catalog, labels: Labels, info: ReportInfo) -> Mapping[str, str]:
    broken = catalog.rows["problem"].drop_nulls().len()
    left_out = f", {counted(broken, 'file')} left out: cannot be read" if broken else ""
    return {
        "pictures": f"{len(catalog) - broken:,}{left_out}",
        "classes": f"{len(labels):,}{_balance(catalog.counts())}" if len(labels) else "",
        "backbone": info.backbone,
        "checked": info.date,
        "command": info.command,
    }


def _balance(counts: Mapping[str, int]) -> str:
    if not counts:
        return ""
    least, most = min(counts.values()), max(counts.values())
    return f", {least:,} pictures each" if least == most else f", {least:,} to {most:,} pictures each"
