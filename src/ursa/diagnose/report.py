"""Findings, numbers and curves -> one self-contained HTML page, readable on a phone, without a script."""

import base64
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files

import numpy as np
import numpy.typing as npt
from PIL import Image

from ursa import sandbox
from ursa.core import picture_file, statistics
from ursa.core.finding import Finding, Kind, by_kind, kind_of
from ursa.core.labels import Labels
from ursa.core.prepare import Preparation
from ursa.core.statistics import Estimate
from ursa.data.catalog import Catalog
from ursa.diagnose import abstain, charts
from ursa.diagnose.abstain import Threshold
from ursa.diagnose.calibration import Reliability
from ursa.diagnose.charts import text
from ursa.diagnose.judged import Judged
from ursa.diagnose.more_data.more_pictures import MorePictures
from ursa.errors import DataError

SHOWN = 24  # findings of a kind that the page lists; the command's --json has all
THUMBNAIL = Preparation(size=96)


def check_page(
    catalog: Catalog,
    labels: Labels,
    findings: Sequence[Finding],
    accuracy: Estimate,
    confusion: npt.NDArray[np.int64],
    more_pictures: MorePictures | None = None,
    calibration: Reliability | None = None,
    thresholds: Sequence[Threshold] = (),
) -> str:
    """The report of `ursa check`."""
    broken = catalog.rows["problem"].drop_nulls().len()
    sections = [
        _tiles(
            (
                "Pictures",
                f"{len(catalog) - broken:,}",
                f"{broken:,} {'file' if broken == 1 else 'files'} left out: cannot be read"
                if broken
                else "all readable",
            ),
            ("Classes", str(len(labels)), _balance(catalog.counts())),
            ("Accuracy", "?", accuracy.method)
            if math.isnan(accuracy.value)
            else ("Accuracy", f"{100 * accuracy.value:.1f} %", _interval(accuracy)),
        ),
        _classes(catalog.counts(), statistics.per_class(confusion, labels.names)) if len(labels) else "",
        _confusions(confusion, labels) if confusion.any() else "",
        _learning_curve(more_pictures) if more_pictures else "",
        _calibration(calibration, thresholds) if calibration else "",
        *(_findings(kind, some, catalog) for kind, some in by_kind(findings).items()),
    ]
    nothing = "<p>Nothing was found: every file can be read, and there are no duplicates.</p>"
    if not findings:
        sections.append(f"<section><h2>Findings</h2>{nothing}</section>")
    return _page(f"{_name(catalog)}: check", sections)


def train_page(
    epochs: Sequence[Mapping[str, float]],
    verdict: Finding,
    judged: Judged,
    findings: Sequence[Finding] = (),
    agreement: Finding | None = None,
    training: Finding | None = None,
) -> str:
    """The report of `ursa train`. agreement: of the probe's cross-validated accuracy and its held-out one; training:
    what the history of the fine-tuning says."""
    sections = [
        _tiles(
            ("Probe's accuracy", f"{100 * judged.probe.value:.1f} %", _interval(judged.probe)),
            ("Kept model's accuracy", f"{100 * judged.accuracy.value:.1f} %", _interval(judged.accuracy)),
            ("Measured on", f"{len(judged.catalog):,} pictures", judged.method.partition(";")[0]),
        ),
        f"<section><h2>Verdict</h2>{_words(verdict)}{_words(agreement) if agreement else ''}</section>",
        _training(training) if training else "",
        *(_findings(kind, some, judged.catalog) for kind, some in by_kind(findings).items()),
        charts.curves("Validation accuracy by epoch (0 is the probe)", epochs, ("accuracy",)),
        charts.curves("Loss by epoch", epochs, ("train_loss", "valid_loss")),
        _confusions(judged.confusion, judged.labels),
        _mistakes(judged),
    ]
    return _page(f"{_name(judged.catalog)}: training", sections)


def _training(verdict: Finding) -> str:
    kind = kind_of(verdict.kind)
    head = f"<i class={kind.tone}></i>{text(kind.title_of_one)}"
    said = "<small>what the training's history says</small>"
    return f"<section id=training><h2>{head} {said}</h2>{_words(verdict)}</section>"


def _page(title: str, sections: Iterable[str]) -> str:
    style = files("ursa.diagnose").joinpath("report.css").read_text("utf-8")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{text(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{style}</style></head>'
        f"<body><main><h1>{text(title)}</h1>{''.join(sections)}<footer>Made by Ursa. The page holds small copies of "
        "some pictures; the files themselves were not changed.</footer></main></body></html>\n"
    )


def _name(catalog: Catalog) -> str:
    return catalog.root.resolve().name


def _interval(metric: Estimate) -> str:
    low, high = f"{100 * metric.low:.1f}", f"{100 * metric.high:.1f}"
    return f"95 % interval {low} to {high} %; {metric.method.split(';')[0]}"


def _balance(counts: Mapping[str, int]) -> str:
    if not counts:
        return ""
    least, most = min(counts.values()), max(counts.values())
    return f"{least:,} pictures each" if least == most else f"{least:,} to {most:,} pictures each"


def _tiles(*tiles: tuple[str, str, str]) -> str:
    cards = "".join(
        f"<div class=tile><span class=what>{text(what)}</span><b>{text(value)}</b><small>{text(more)}</small></div>"
        for what, value, more in tiles
    )
    return f"<div class=tiles>{cards}</div>"


def _classes(counts: Mapping[str, int], scores: Mapping[str, Mapping[str, object]]) -> str:
    most = max(counts.values(), default=1) or 1
    rows = []
    for name, count in counts.items():
        recall = scores[name]["recall"] if name in scores else None
        cells = _recall(recall) if isinstance(recall, dict) and recall["value"] is not None else "<td></td><td></td>"
        bar = f"<span class=bar style='width:{100 * count / most:.1f}%'></span>"
        rows.append(f"<tr><th>{text(name)}</th><td class=wide>{bar}</td><td>{count:,}</td>{cells}</tr>")
    head = "<tr><th>class</th><th></th><th>pictures</th><th>recall</th><th>95 % interval</th></tr>"
    return f"<section><h2>Classes</h2><table class=classes>{head}{''.join(rows)}</table></section>"


def _recall(recall: Mapping[str, float]) -> str:
    low, value, high = (f"{100 * recall[key]:.0f}" for key in ("low", "value", "high"))
    return f"<td>{value} %</td><td class=soft>{low} to {high}</td>"


def _confusions(counts: npt.NDArray[np.int64], labels: Labels) -> str:
    """The matrix for up to 20 classes, and the pairs of classes that are confused most."""
    worst = statistics.most_confused(counts, labels.names, 5)
    items = "".join(f"<li><b>{text(a)}</b> predicted as <b>{text(b)}</b>: {n}</li>" for a, b, n in worst)
    pairs = f"<ul>{items}</ul>" if worst else "<p>No picture was predicted as another class.</p>"
    matrix = charts.matrix(counts, labels.names) if len(labels) <= 20 else ""
    return f"<section><h2>Confusion matrix</h2>{pairs}{matrix}</section>"


def _learning_curve(more: MorePictures) -> str:
    rows = []
    if curve := more.curve:
        points = zip(curve.sizes.tolist(), curve.right.mean((1, 2)).tolist(), strict=True)
        rows = [{"epoch": size, "accuracy": share} for size, share in points]
    chart = charts.curves("Accuracy by the number of pictures learned from", rows, ("accuracy",))
    return f"<section><h2>More pictures</h2><p>{text(more)}</p></section>{chart}"


def _calibration(measured: Reliability, thresholds: Sequence[Threshold]) -> str:
    error, ceiling = (f"{100 * share:.1f} %" for share in (measured.error, measured.ceiling))
    words = "no more than chance alone explains" if measured.calibrated else "more than chance alone explains"
    said = f"The probe's probabilities are off by {error} on average, {words} (up to {ceiling})."
    return f"<section><h2>When to answer</h2><p>{text(said)}</p><p>{text(abstain.described(thresholds))}</p></section>"


def _findings(name: str, findings: Sequence[Finding], catalog: Catalog) -> str:
    kind = kind_of(name)
    shown = "".join(_finding(finding, kind, catalog) for finding in findings[:SHOWN])
    more = f"<p>... and {len(findings) - SHOWN:,} more: see --json.</p>" if len(findings) > SHOWN else ""
    head = f"<i class={kind.tone}></i>{text(kind.title)} <small>{len(findings):,}</small>"
    return f"<section><h2>{head}</h2>{shown}{more}</section>"


def _finding(finding: Finding, kind: Kind, catalog: Catalog) -> str:
    some = finding.where[:4] if kind.about != "data" else ()
    thumbs = "".join(_thumbnail(catalog, id) for id in some) if kind.about == "pictures" else ""
    more = f"<br>and {len(finding.where) - len(some):,} more" if some and len(finding.where) > len(some) else ""
    where = f"<p class=where>{'<br>'.join(f'<code>{text(id)}</code>' for id in some)}{more}</p>" if some else ""
    return (
        f"<article>{f'<div class=thumbs>{thumbs}</div>' if thumbs else ''}<div>{_words(finding)}{where}</div></article>"
    )


def _words(finding: Finding) -> str:
    return f"<p>{text(finding.evidence)}</p><p class=advice>{text(finding.advice)}</p>"


def _mistakes(judged: Judged) -> str:
    rows = judged.top_losses(12)
    if not rows:
        return ""
    cards = "".join(
        f"<figure>{_thumbnail(judged.catalog, id)}<figcaption>{text(label)}, predicted as "
        f"<b>{text(predicted)}</b> ({100 * sure:.0f} %)<br><code>{text(id)}</code></figcaption></figure>"
        for id, label, predicted, sure in rows
    )
    return f"<section><h2>Top losses</h2><div class=gallery>{cards}</div></section>"


def _thumbnail(catalog: Catalog, id: str) -> str:
    try:
        pixels = sandbox.view(picture_file.read(catalog.file(id)), THUMBNAIL)
    except DataError:
        return "<span class=gone>no longer readable</span>"
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=80)
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<img width=96 height=96 alt="{text(id)}" src="data:image/jpeg;base64,{data}">'
