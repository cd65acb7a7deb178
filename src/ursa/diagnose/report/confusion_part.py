"""confusion [K, K] -> the pairs of classes that are confused most, and the matrix, of all classes or of those alone."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from ursa.core import statistics
from ursa.diagnose.charts import text
from ursa.diagnose.report.html_page import Section, scrolling
from ursa.diagnose.report.number_words import percent

I64 = npt.NDArray[np.int64]

WHOLE = 24  # classes whose matrix is drawn whole
CONFUSED = 20  # classes of a larger one that are drawn
PAIRS = 8
LEVEL = 9  # letters of a class above a column; longer names stand upright


def confusion_section(counts: I64, names: Sequence[str]) -> Section:
    """Rows the given class, columns the predicted one."""
    if not counts.any():
        return Section("confusion", "Confusion matrix", "")
    worst = statistics.most_confused(counts, names, PAIRS)
    if not worst:
        words = "<p>No picture is predicted as another class.</p>"
    else:
        of = {name: int(count) for name, count in zip(names, counts.sum(1), strict=True)}
        items = "".join(
            f"<li><b>{text(a)}</b> is predicted as <b>{text(b)}</b> {_times(n)}, "
            f'<span class="soft">{percent(n / of[a])} of its {of[a]:,} pictures</span></li>'
            for a, b, n in worst
        )
        words = f'<ol class="pairs">{items}</ol>'
    if len(names) <= WHOLE:
        both = f'<div class="side">{words}{matrix(counts, names)}</div>' if worst else words + matrix(counts, names)
        return Section("confusion", "Confusion matrix", both)
    chosen = _confused(counts)
    some = [names[row] for row in chosen]
    lead = f"<p>The {len(chosen)} classes of {len(names):,} that are confused most; all others are one column.</p>"
    drawn = matrix(_with_others(counts, chosen), some, others=True) if worst else ""
    return Section("confusion", "Confusion matrix", words + (lead + drawn if worst else ""))


def matrix(counts: I64, names: Sequence[str], others: bool = False) -> str:
    """counts [K, K], or [K, K + 1] with all others in the last column -> a table, shaded by shares of the row."""
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    columns = [*names, *(["other classes"] * others)]
    head = "".join(f'<th scope="col"><span>{text(name)}</span></th>' for name in columns)
    body = []
    for i, name in enumerate(names):
        cells = "".join(
            f'<td class="{"hit" if i == j else "miss"}" style="--s:{share[i, j]:.3f}">{counts[i, j] or ""}</td>'
            for j in range(counts.shape[1])
        )
        body.append(f'<tr><th scope="row">{text(name)}</th>{cells}</tr>')
    caption = "<caption>Rows: the label of a picture. Columns: what it is predicted as.</caption>"
    corner = '<td class="corner"><span>label ↓</span><span>predicted →</span></td>'
    upright = len(names) > 12 or max(map(len, names)) > LEVEL
    wide = f' class="matrix{" dense" if upright else ""}"'
    return scrolling(
        "Confusion matrix",
        f"<table{wide}>{caption}<thead><tr>{corner}{head}</tr></thead><tbody>{''.join(body)}</tbody></table>",
    )


def _confused(counts: I64) -> list[int]:
    """Rows of the classes with most mistakes on either side, in their order."""
    wrong = counts - np.diag(np.diag(counts))
    order = np.argsort(-(wrong.sum(0) + wrong.sum(1)), kind="stable")[:CONFUSED]
    return sorted(order.tolist())


def _with_others(counts: I64, chosen: Sequence[int]) -> I64:
    some = counts[np.ix_(chosen, chosen)]
    rest = counts[list(chosen)].sum(1) - some.sum(1)
    return np.concatenate([some, rest[:, None]], 1)


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count:,} times")
