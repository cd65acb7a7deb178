"""The model card: what a bundle's next owner should know (in the manner of Mitchell et al. 2019)."""

import html
import re
from collections.abc import Mapping
from typing import Any

from ursa.core.decisions import Decisions
from ursa.core.text import escaped


def card(document: Mapping[str, Any]) -> str:
    """bundle.json's document -> Markdown."""
    accuracy = document["metrics"]["accuracy"]
    training = document["training"]
    classes = "\n".join(f"| {plain(name)} | {count} |" for name, count in training["pictures"].items())
    size, parity = document["preparation"]["size"], document["parity"]
    low, value, high = (f"{100 * accuracy[key]:.1f}" for key in ("low", "value", "high"))
    return f"""# A classifier of {len(document["classes"])} classes

It predicts which of these classes a picture shows: {", ".join(map(plain, document["classes"]))}.
It knows no others: a picture of anything else is given one of these labels, too.

**Accuracy {value} %** (95 % interval {low} to {high} %): {plain(accuracy["method"])}.

| class | training pictures |
|---|---|
{classes}

- Network: {plain(training["backbone"])}, {training["kept"]}. Pictures are resized to {size} x {size} pixels.
- The exported and the trained model agree within {parity["difference"]:.1g} in every probability, for \
{_compared(parity)}.
{_quantized(document)}{_thresholds(document)}- Made {document["created"]} with Ursa {document["versions"]["ursa"]}.

The accuracy holds for pictures like the ones it was measured on. Measure again on pictures from where you use it:
`ursa evaluate BUNDLE FOLDER`.
"""


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
