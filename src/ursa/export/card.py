"""The model card: what a bundle's next owner should know (in the manner of Mitchell et al. 2019)."""

import html
import re
from collections.abc import Mapping
from typing import Any

from ursa.core.bundles.bundle_document import ABOUT
from ursa.core.decisions import Decisions
from ursa.core.tasks import MULTI_LABEL, REGRESSION, SINGLE_LABEL
from ursa.core.text import counted, escaped

SHARES = {"accuracy", "average_precision", "f1"}  # said in percent
METRICS = {"average_precision": "average precision", "f1": "F1", "rmse": "root mean squared error", "r2": "R2"}


def card(document: Mapping[str, Any]) -> str:
    """bundle.json's document -> Markdown."""
    size, parity, training = document["preparation"]["size"], document["parity"], document["training"]
    about = document.get("about", {})
    unit = " of a standard deviation of the numbers" if _task(document) == REGRESSION else " in every probability"
    return f"""{_head(document)}

{_measured(document)}
{_table(document)}
## How it works

- Network: {plain(training["backbone"])}, {training["kept"]}. Pictures are resized to {size} x {size} pixels.
- The exported and the trained model agree within {parity["difference"]:.1g}{unit}, for {_compared(parity)}.
{_quantized(document)}{_thresholds(document)}{_calibration(document)}- Made {document["created"]} with Ursa \
{document["versions"]["ursa"]}.

## Known weaknesses

{_weaknesses(document)}
## Intended use

{_statement(about, "intended_use", "What it was made for, and what it must not be used for")}
{_further(about)}## How to cite

{_citation(document)}
"""


def card_or(document: Mapping[str, Any], instead: str) -> str:
    """The card written anew, as a stranger's may hold anything; `instead` where what Ursa's own have is lacking."""
    try:
        return card(document)
    except (KeyError, TypeError, AttributeError):
        return instead


def _task(document: Mapping[str, Any]) -> str:
    return str(document.get("task", SINGLE_LABEL))


def _head(document: Mapping[str, Any]) -> str:
    names, several = ", ".join(map(plain, document["classes"])), len(document["classes"])
    if _task(document) == REGRESSION:
        return f"# A model of {counted(several, 'number')}\n\nIt predicts from a picture: {names}."
    if _task(document) == MULTI_LABEL:
        return (
            f"# A classifier of {counted(several, 'label')}\n\n"
            f"It predicts which of these labels a picture has, perhaps none or several: {names}.\nIt knows no others."
        )
    return (
        f"# A classifier of {several} classes\n\n"
        f"It predicts which of these classes a picture shows: {names}.\n"
        "It knows no others: a picture of anything else is given one of these labels, too."
    )


def _measured(document: Mapping[str, Any]) -> str:
    """Every metric with its interval."""
    advice = (
        "This holds for pictures like the ones it was measured on. Measure again on pictures from where you use it"
        f"{': `ursa evaluate BUNDLE FOLDER`' if _task(document) == SINGLE_LABEL else ''}.\n"
    )
    lines = []
    for name, metric in document["metrics"].items():
        if name == "probe":  # what the fine-tuned network was held against
            continue
        number = _percent if name in SHARES else _number
        low, value, high = (number(metric[key]) for key in ("low", "value", "high"))
        unit = " %" if name in SHARES else ""
        words = plain(METRICS.get(name, name).capitalize())
        method = plain(metric["method"])
        lines.append(f"**{words} {value}{unit}** (95 % interval {low} to {high}{unit}): {method}.\n")
    return "\n".join([*lines, advice])


def _table(document: Mapping[str, Any]) -> str:
    """Pictures that were learned from; and how each class is recognized, where that was measured."""
    counts, scores = document["training"].get("pictures", {}), document.get("per_class", {})
    if not counts:
        return ""
    rows = []
    for name, count in counts.items():
        cells = [plain(name), str(count)]
        if scores:
            cells += [_share(scores.get(name, {}).get(key)) for key in ("recall", "precision")]
        rows.append(f"| {' | '.join(cells)} |")
    head = "| class | training pictures |" + (" recall | precision |" if scores else "")
    note = (
        "\nRecall: of the pictures of a class, the share that is recognized. Precision: of those that are called so, "
        "the share that is right. In parentheses the 95 % interval.\n"
    )
    return "\n".join([head, "|---" * (head.count("|") - 1) + "|", *rows]) + "\n" + (note if scores else "")


def _share(metric: Mapping[str, Any] | None) -> str:
    if metric is None or metric["value"] is None:
        return ""
    low, value, high = (f"{100 * metric[key]:.0f}" for key in ("low", "value", "high"))
    return f"{value} % ({low} to {high})"


def _percent(value: float | None) -> str:
    return "unknown" if value is None else f"{100 * value:.1f}"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"


def _calibration(document: Mapping[str, Any]) -> str:
    found = document.get("calibration")
    if not found:
        return ""
    return (
        f"- How sure it says it is and how often it is right differ by {_percent(found['error'])} points on average "
        f"({_percent(found['by_chance'])} would be by chance alone), for {found['pictures']} pictures.\n"
    )


def _weaknesses(document: Mapping[str, Any]) -> str:
    said = document.get("weaknesses", [])
    if "weaknesses" not in document:
        return "None were looked for.\n"
    lines = [f"- {plain(one)}\n" for one in said]
    return "".join(lines) or "None were found: every class is recognized about as often as the others.\n"


def _statement(about: Mapping[str, str], key: str, wanted: str) -> str:
    """What a person has written, as paragraphs; or how to write it."""
    if key not in about:
        option = key.replace("_", "-")
        return f"*Not stated. {wanted}: `ursa card BUNDLE --{option} TEXT`.*\n"
    return "\n\n".join(plain(part) for part in about[key].split("\n") if part.strip()) + "\n"


def _further(about: Mapping[str, str]) -> str:
    """The sections that only a person can fill, where one has."""
    parts = [
        f"## {key.replace('_', ' ').capitalize()}\n\n{_statement(about, key, '')}\n"
        for key in ABOUT
        if key in about and key not in ("intended_use", "citation")
    ]
    return "".join(parts)


def _citation(document: Mapping[str, Any]) -> str:
    about = document.get("about", {})
    if "citation" in about:
        return _statement(about, "citation", "").rstrip()
    by = f"{plain(about['authors'])}. " if "authors" in about else ""
    kind = {REGRESSION: "model", MULTI_LABEL: "classifier"}.get(_task(document), "classifier")
    names = document["classes"]
    of = ", ".join(map(plain, names[:3])) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return (
        f"{by}A {kind} of pictures: {of}. {document['created'][:10]}, made with Ursa {document['versions']['ursa']}. "
        f"Model sha256 {document.get('parts', {}).get('model.onnx', 'unknown')[:16]}."
    )


def _quantized(document: Mapping[str, Any]) -> str:
    """A line for a model of smaller numbers: what that cost, and what it won."""
    found = document.get("quantized")
    if not found:
        return ""
    before, after, gap = found["before"], found["after"], found["difference"]
    right = f"{100 * after['accuracy']['value']:.1f} % right instead of {100 * before['accuracy']['value']:.1f} %"
    interval = f"95 % interval {_points(gap['low'])} to {_points(gap['high'])}"
    alone = f"{after['ms_one']:.3g} ms a picture instead of {before['ms_one']:.3g}"
    batch = f"in batches {after['ms_batch']:.3g} instead of {before['ms_batch']:.3g}"
    return f"""- Quantized to {plain(found["precision"])}; the accuracy above is that of the model before. Of \
{found["pictures"]} pictures that it did not learn from {right} (difference {_points(gap["value"])} points, \
{interval}), another answer for {found["changed"]}. {after["megabytes"]:.1f} MB instead of \
{before["megabytes"]:.1f}; where it was made {alone}, {batch}.
"""


def _points(share: float) -> str:
    return f"{100 * share:+.1f}"


def _thresholds(document: Mapping[str, Any]) -> str:
    """A line for each way in which it does not simply answer the most probable class."""
    decisions = Decisions.from_json(document.get("thresholds", {}), document["classes"])
    lines = []
    if decisions.abstain is not None:
        lines.append(f"- Unsure where its likeliest class is less probable than {100 * decisions.abstain:.1f} %.\n")
    for name, one in decisions.costs.items():
        ratio = f"a miss costs {one.miss:g} and a false alarm {one.false_alarm:g}"
        lines.append(f"- {plain(name)}: {ratio}, so it is answered from {100 * one.threshold:.3g} % on.\n")
    return "".join(lines)


def _compared(parity: Mapping[str, Any]) -> str:
    """ "64 pictures", or "32 pictures made of thumbnails"."""
    thumbnails = parity.get("thumbnails")
    return f"{parity['pictures']} pictures" if thumbnails is None else f"{thumbnails} pictures made of thumbnails"


def plain(text: str) -> str:
    """A name as Markdown that shows it and does nothing else: no links, no table cells, no HTML."""
    return re.sub(r"([\\`*_{}\[\]()#+!|~:@.-])", r"\\\1", html.escape(escaped(text), quote=False))
