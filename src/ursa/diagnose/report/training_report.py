"""What `ursa train` came to -> its page."""

import shlex
from collections.abc import Mapping, Sequence

from ursa.core.finding import Finding, kind_of
from ursa.diagnose import next_steps as steps
from ursa.diagnose.charts import line_chart, loss_line, prose, text
from ursa.diagnose.gaps import BIAS, MISMATCH, OVERFITTING, VARIANCE, WORDS, Gap, Gaps
from ursa.diagnose.judged import Judged
from ursa.diagnose.mistake_sample import mistake_sample
from ursa.diagnose.next_steps import Commands, NextStep
from ursa.diagnose.report.class_scores import class_section
from ursa.diagnose.report.confusion_part import confusion_section
from ursa.diagnose.report.finding_groups import finding_sections, sentences
from ursa.diagnose.report.first_screen import FirstScreen
from ursa.diagnose.report.html_page import Section, html_page, scrolling
from ursa.diagnose.report.mistakes_part import MistakeMaps, mistakes_section
from ursa.diagnose.report.number_words import between, points, value
from ursa.diagnose.report.picture_map import map_section
from ursa.diagnose.report.pictured import Pictured
from ursa.diagnose.report.report_info import ReportInfo
from ursa.embed.store import Embeddings


def train_page(
    epochs: Sequence[Mapping[str, float]],
    verdict: Finding,
    judged: Judged,
    findings: Sequence[Finding] = (),
    agreement: Finding | None = None,
    *,
    training: Finding | None = None,
    gaps: Gaps | None = None,
    maps: MistakeMaps | None = None,
    embeddings: Embeddings | None = None,
    info: ReportInfo | None = None,
) -> str:
    """The report of `ursa train`. agreement: of the probe's cross-validated accuracy and its held-out one; training:
    what the history says of the training itself; gaps: where the error comes from, what there is most to gain of
    first; maps: where the model looks in the pictures with the highest loss."""
    info = info or ReportInfo()
    sample = mistake_sample(judged)
    shown = Pictured.of(judged.catalog, findings, judged, sample, embeddings, info)
    kept = "fine-tuned model" if verdict.kind == "fine-tuning-kept" else "probe"
    first = FirstScreen(
        title=judged.catalog.root.resolve().name,
        kind="Training",
        verdict=_verdict(kept, judged, training),
        tone=_tone(training),
        accuracy=judged.accuracy,
        measured=f"Of the {kept} that is kept, on {_measured_on(judged)}.",
        steps=_steps(judged, findings, training, gaps, info),
        facts={
            "measured on": f"{len(judged.catalog):,} pictures",
            "classes": f"{len(judged.labels):,}",
            "backbone": info.backbone,
            "model": info.bundle,
            "trained": info.date,
            "command": info.command,
        },
        more=_compared(kept, judged),
    )
    names = judged.labels.names
    read = info.following("error-analysis", *_tags(info))
    sections = [
        _verdict_section(verdict, agreement, training),
        _gaps_section(gaps),
        *_curves(epochs),
        class_section(judged.confusion, names, _counts(judged)),
        confusion_section(judged.confusion, names),
        mistakes_section(sample, shown.gallery, f"the {kept}", read, maps),
        map_section(shown.map),
        *finding_sections(findings, shown.gallery),
    ]
    return html_page(f"{first.title}: training", first.to_html(), sections, info, shown.data, shown.style)


def _verdict(kept: str, judged: Judged, training: Finding | None) -> str:
    """One sentence: what is wrong with the training, or else what came of it."""
    if training is not None and kind_of(training.kind).tone != "note":
        return training.evidence
    hundred = f"{100 * judged.accuracy.value:.0f}"
    gain = judged.accuracy.value - judged.probe.value
    more = f", {points(gain)} more than the probe" if kept != "probe" and gain > 0 else ""
    return f"The {kept} is kept: it gets about {hundred} of 100 held-out pictures right{more}."


def _tone(training: Finding | None) -> str:
    tone = "note" if training is None else kind_of(training.kind).tone
    return {"note": "good"}.get(tone, tone)


def _measured_on(judged: Judged) -> str:
    """Which pictures, and what was done so that they may judge; said once on the page."""
    return f"{len(judged.catalog):,} {judged.method.partition(';')[0]}"


def _compared(kept: str, judged: Judged) -> str:
    if kept == "probe":
        return ""
    probe = judged.probe
    return f'<p class="soft">The probe that it began from: <b>{value(probe)}</b>, {between(probe)}.</p>'


def _verdict_section(verdict: Finding, agreement: Finding | None, training: Finding | None) -> Section:
    html = "".join(sentences(finding) for finding in (training, verdict, agreement) if finding is not None)
    return Section("verdict", "Verdict", html)


def _gaps_section(gaps: Gaps | None) -> Section:
    title = "Where the error comes from"
    if gaps is None:
        return Section("gaps", title, "")
    rows = "".join(map(_gap, gaps.rows))
    head = (
        '<thead><tr><th scope="col">gap</th><th scope="col">between</th><th scope="col" class="number">error</th>'
        '<th scope="col" class="number">95 % interval</th></tr></thead>'
    )
    table = scrolling(title, f"<table>{head}<tbody>{rows}</tbody></table>")
    return Section("gaps", title, f'<p>{prose(gaps.evidence)}</p><p class="advice">{prose(gaps.advice)}</p>{table}')


def _gap(gap: Gap) -> str:
    low, high = (f"{100 * end:.1f}" for end in (gap.size.low, gap.size.high))
    one, other = (WORDS[name] for name in gap.between)
    return (
        f'<tr><th scope="row">{text(gap.name)}</th><td class="soft">{one} to {other}</td>'
        f'<td class="number"><b>{100 * gap.size.value:.1f}</b> points</td><td class="number">{low} to {high}</td></tr>'
    )


def _curves(epochs: Sequence[Mapping[str, float]]) -> list[Section]:
    """Losses and accuracy by epoch; of one epoch there is no curve."""
    losses = [loss_line("training", epochs, "train_loss"), loss_line("validation", epochs, "valid_loss")]
    accuracy = [loss_line("validation", epochs, "accuracy")]
    start = " Epoch 0 is the probe." if any(row.get("epoch") == 0 for row in epochs) else ""
    charts = (
        ("accuracy-by-epoch", "Validation accuracy by epoch", accuracy, True),
        ("loss-by-epoch", "Loss by epoch", losses, False),
    )
    found = []
    for id, title, lines, share in charts:
        chart = line_chart(title, lines, "epoch", share=share)
        found.append(Section(id, title, f'{chart}<p class="soft">{text(start.strip())}</p>' if chart else ""))
    return found


def _counts(judged: Judged) -> Mapping[str, int]:
    return {name: int(count) for name, count in zip(judged.labels.names, judged.confusion.sum(1), strict=True)}


def _steps(
    judged: Judged,
    findings: Sequence[Finding],
    training: Finding | None,
    gaps: Gaps | None,
    info: ReportInfo,
) -> list[NextStep]:
    confusion = judged.confusion
    error = 1 - judged.accuracy.value
    found = []
    if training is not None and kind_of(training.kind).tone != "note":
        found.append(NextStep(training.advice.rstrip("."), training.evidence, section="verdict", first=True))
    found += steps.from_findings(findings, len(judged.catalog), error, Commands(info.following("train"), info.collect))
    if gaps is not None and gaps.largest is not None:
        found.append(_of_gap(gaps, gaps.largest, info))
    found += steps.from_confusion(confusion, judged.labels.names, info.following("error-analysis", *_tags(info)))
    found += steps.from_sure_mistakes(judged.after, judged.targets, info.following("train"))
    found.append(
        NextStep(
            "See what twice the pictures would bring",
            "A check forecasts the accuracy for twice and four times the pictures, from what is already computed.",
            info.following("check"),
        )
    )
    if info.bundle:
        command = shlex.join(["ursa", "serve", info.bundle])
        found.append(NextStep("Try the model in the browser", "On pictures that it has not seen.", command))
    return steps.next_steps(found)


def _tags(info: ReportInfo) -> list[str]:
    """Where the sheet of mistakes lies, as an option."""
    return [] if info.page is None else ["--tags", str(info.page.with_name("mistakes.csv"))]


def _of_gap(gaps: Gaps, largest: Gap, info: ReportInfo) -> NextStep:
    """Of a gap, which is a ceiling, half counts at the lower end of its interval, as of every other."""
    title = f"Reduce {largest.name}: {largest.steps[0]}"
    commands = {
        BIAS: info.following("backbones"),
        VARIANCE: info.collect,
        MISMATCH: info.following("error-analysis", *_tags(info)),
        OVERFITTING: info.following("train", "--set", "split.valid=0.3"),
    }
    gain = steps.OF_A_CEILING * largest.size.low
    return NextStep(title, gaps.evidence, commands[largest.name], "gaps", gain)
