"""confusion [K, K] -> recall, precision and F1 of every class with their intervals, as a table with bars."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ursa.core import statistics
from ursa.diagnose.charts import text
from ursa.diagnose.report.html_page import Section, disclosed, scrolling
from ursa.diagnose.report.number_words import percent

SHOWN = 20  # classes, the weakest ones; the others are folded away


def class_section(confusion: npt.NDArray[np.int64], names: Sequence[str], counts: Mapping[str, int]) -> Section:
    """counts: pictures of each class, test pictures too, which have no part in the confusion."""
    scores = statistics.per_class(confusion, names)
    judged = [name for name in names if scores[name]["pictures"]]
    if not judged:
        return Section("classes", "Classes", _only_counts(counts) if counts else "")
    many = len(names) > SHOWN
    order = sorted(judged, key=lambda name: float(scores[name]["recall"]["value"])) if many else judged
    order = [*order, *(name for name in names if name not in judged)]
    lead = (
        "<p>Recall: of the pictures of a class, the share that is recognized. Precision: of the pictures that are "
        "predicted as it, the share that is right. F1: both in one. The bar is the 95 % interval of recall.</p>"
    )
    rows = [_row(name, scores[name], counts.get(name)) for name in order]
    html = lead + _table(rows[:SHOWN])
    rest = _table(rows[SHOWN:]) if many else ""
    html += disclosed(f"{len(rows) - SHOWN:,} more classes, all with a higher recall", rest)
    note = f"{len(names):,}, the weakest first" if many else f"{len(names):,}"
    return Section("classes", "Classes", html, note)


def _table(rows: Sequence[str]) -> str:
    axis = "".join(f'<span style="left:{share}%">{share}</span>' for share in (0, 25, 50, 75))
    head = (
        '<tr><th scope="col">class</th><th scope="col" class="number">pictures</th>'
        f'<th scope="col" class="bars"><span class="axis" aria-hidden="true">{axis}<span style="left:100%">100 %</span>'
        '</span><span class="unseen">recall, drawn</span></th><th scope="col" class="number">recall</th>'
        '<th scope="col" class="number">precision</th><th scope="col" class="number">F1</th></tr>'
    )
    return scrolling("Classes", f'<table class="classes"><thead>{head}</thead><tbody>{"".join(rows)}</tbody></table>')


def _row(name: str, score: Mapping[str, Any], count: int | None) -> str:
    numbers = "".join(f'<td class="number">{_with_interval(score[key])}</td>' for key in ("recall", "precision", "f1"))
    pictures = score["pictures"] if count is None else count
    return (
        f'<tr><th scope="row">{text(name)}</th><td class="number">{pictures:,}</td>'
        f'<td class="bars">{_bar(score["recall"])}</td>{numbers}</tr>'
    )


def _bar(metric: Mapping[str, Any]) -> str:
    if metric["value"] is None:
        return ""
    low, at, high = (100 * float(metric[key]) for key in ("low", "value", "high"))
    return (
        f'<span class="rail" aria-hidden="true"><span class="range" style="left:{low:.1f}%;width:{high - low:.1f}%">'
        f'</span><span class="at" style="left:{at:.1f}%"></span></span>'
    )


def _with_interval(metric: Mapping[str, Any]) -> str:
    if metric["value"] is None:
        return '<span class="soft">none</span>'
    low, high = (f"{100 * float(metric[key]):.0f}" for key in ("low", "high"))
    return f"<b>{percent(float(metric['value']))}</b> <small>{low} to {high}</small>"


def _only_counts(counts: Mapping[str, int]) -> str:
    cells = ((text(name), f"{count:,}") for name, count in counts.items())
    rows = "".join(f'<tr><th scope="row">{name}</th><td class="number">{count}</td></tr>' for name, count in cells)
    head = '<thead><tr><th scope="col">class</th><th scope="col" class="number">pictures</th></tr></thead>'
    return scrolling("Classes", f'<table class="classes">{head}<tbody>{rows}</tbody></table>')
