"""A network and inputs -> a picture of it as SVG text: boxes for layers, arrows for what flows between them."""

import html
from collections.abc import Sequence
from typing import Any

from torch import nn

from ursa.errors import TrainingError
from ursa.models.layer_graph.flow import Node, collapsed, flow
from ursa.models.layer_graph.layout import Layout, layout
from ursa.models.shape_errors import explain
from ursa.models.trace import as_inputs

READABLE = 40  # boxes on one picture
DEEPEST = 6
BOX, HIGH, JOIN, STEP, MARGIN = 250, 46, 30, 78, 14  # px: a box, its height, a join, from row to row, around all

STYLE = """
.ursa-graph { --ink: #1d2129; --soft: #5b6472; --line: #8a93a0; --paper: #ffffff; --edge: #c9ced6;
  --layer: #e6effa; --layer-edge: #7fa8d8; --end: #e9f3ea; --end-edge: #7fb488;
  font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; max-width: 100%; height: auto; }
@media (prefers-color-scheme: dark) { .ursa-graph { --ink: #e8eaee; --soft: #a2abb8; --line: #7c8796; --paper: #1e232b;
  --edge: #434c59; --layer: #1f3147; --layer-edge: #4f7fb5; --end: #203628; --end-edge: #4f8a5b; } }
.ursa-graph .back { fill: var(--paper); }
.ursa-graph .plain { fill: var(--paper); stroke: var(--edge); }
.ursa-graph .learns { fill: var(--layer); stroke: var(--layer-edge); }
.ursa-graph .end { fill: var(--end); stroke: var(--end-edge); }
.ursa-graph .again { stroke-dasharray: 5 3; }
.ursa-graph .under { fill: var(--paper); stroke: var(--layer-edge); }
.ursa-graph text { fill: var(--ink); } .ursa-graph .soft { fill: var(--soft); font-size: 11.5px; }
.ursa-graph .title { font-weight: 600; } .ursa-graph .flow { fill: none; stroke: var(--line); stroke-width: 1.4; }
.ursa-graph .tip { fill: var(--line); }
"""


def graph(model: nn.Module, *inputs: Any, depth: int | None = None) -> str:
    """`graph(model, (1, 3, 224, 224))`, or with tensors -> SVG text, for light and dark pages.

    A box says kind, parameters, name and the shape of what comes out. Parts of the network are opened as deep as the
    picture stays readable, or `depth` levels. Layers alike in a row are one box with their number; a layer that is
    called again has a dashed frame. Where tensors meet stands what joins them; reshapes and activations that are
    called as functions are not drawn. Runs the network in evaluation mode and leaves it as it was. Raises
    TrainingError that names the layer which cannot take its input.
    """
    if depth is not None and depth < 1:
        raise TrainingError("a picture of a network is at least one level deep", found=f"depth={depth}")
    given = as_inputs(model, inputs)
    try:
        nodes = collapsed(flow(model, given, depth or 1))
        for deeper in range(2, DEEPEST + 1 if depth is None else 0):
            opened = collapsed(flow(model, given, deeper))
            if len(opened) > READABLE:
                break
            nodes = opened
    except Exception as problem:  # whatever a network's own code raises
        raise explain(model, given, problem) from problem
    widths = [JOIN if node.role == "join" else BOX for node in nodes]
    return _svg(type(model).__name__, nodes, layout(widths, [node.sources for node in nodes]))


def _svg(title: str, nodes: Sequence[Node], places: Layout) -> str:
    width = places.width + 2 * MARGIN
    height = (max(places.rows) + 1) * STEP - (STEP - HIGH) + 2 * MARGIN
    arrows = [
        _arrow(places, nodes, source, number) for number, node in enumerate(nodes) for source in sorted(node.sources)
    ]
    boxes = [
        _box(node, places.places[number] + MARGIN, places.rows[number] * STEP + HIGH / 2 + MARGIN)
        for number, node in enumerate(nodes)
    ]
    label = html.escape(f"{title}, as a graph")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="ursa-graph" role="img" aria-label="{label}" '
        f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}">\n<style>{STYLE}</style>\n'
        '<defs><marker id="ursa-graph-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
        'orient="auto"><path class="tip" d="M0 0 8 4 0 8z"/></marker></defs>\n'
        f'<rect class="back" width="100%" height="100%" rx="8"/>\n{chr(10).join([*arrows, *boxes])}\n</svg>\n'
    )


def _box(node: Node, x: float, y: float) -> str:
    if node.role == "join":
        word = node.title.replace("_", " ")
        size, width = (15, JOIN) if len(word) == 1 else (11, max(JOIN, 7 * len(word) + 16))
        return (
            f'<g><rect class="plain" x="{x - width / 2:.1f}" y="{y - JOIN / 2:.1f}" width="{width}" height="{JOIN}" '
            f'rx="{JOIN / 2}"/><text x="{x:.1f}" y="{y + size / 3:.1f}" font-size="{size}" '
            f'text-anchor="middle">{html.escape(word)}</text></g>'
        )
    kind = "end" if node.role != "layer" else "learns" if node.parameters else "plain"
    again = " again" if node.call > 1 else ""
    left, top, round_ = x - BOX / 2, y - HIGH / 2, HIGH / 2 if node.role != "layer" else 7
    above, below = (y - 4, y + 14) if node.role == "layer" else (y + 4.5, y + 4.5)
    under = "".join(
        f'<rect class="under" x="{left + shift}" y="{top + shift}" width="{BOX}" height="{HIGH}" rx="7"/>'
        for shift in ((6, 3) if node.repeats > 1 else ())
    )
    title = node.title + (f" × {node.repeats}" if node.repeats > 1 else "") + (", again" if again else "")
    return (
        f"<g>{under}"
        f'<rect class="{kind}{again}" x="{left:.1f}" y="{top:.1f}" width="{BOX}" height="{HIGH}" rx="{round_}"/>'
        f"{_text(left + 14, above, title, 'title', 26)}"
        f"{_text(left + BOX - 14, above, _short(node.parameters) if node.parameters else '', 'soft', 9, end=True)}"
        f"{_text(left + 14, below, node.name, 'soft', 36 - len(str(list(node.shape))))}"
        f"{_text(left + BOX - 14, below, str(list(node.shape)), 'soft', 22, end=True)}</g>"
    )


def _text(x: float, y: float, text: str, kind: str, most: int, end: bool = False) -> str:
    shown = text if len(text) <= most else "…" + text[1 - most :] if kind == "soft" else text[: most - 1] + "…"
    anchor = ' text-anchor="end"' if end else ""
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}"{anchor}>{html.escape(shown)}</text>' if text else ""


def _arrow(places: Layout, nodes: Sequence[Node], source: int, number: int) -> str:
    """Down from box to box; straight past the boxes of the rows between."""

    def half(node: Node) -> float:
        return (JOIN if node.role == "join" else HIGH) / 2

    row = places.rows[source]
    x, y = places.places[source] + MARGIN, row * STEP + HIGH / 2 + half(nodes[source]) + MARGIN
    path = f"M{x:.1f} {y:.1f}"
    for bend in places.bends[source, number]:
        row += 1
        top, middle = row * STEP + MARGIN, (y + row * STEP + MARGIN) / 2
        path += f"C{x:.1f} {middle:.1f} {bend + MARGIN:.1f} {middle:.1f} {bend + MARGIN:.1f} {top:.1f}V{top + HIGH:.1f}"
        x, y = bend + MARGIN, top + HIGH
    end_x = places.places[number] + MARGIN
    end_y = places.rows[number] * STEP + HIGH / 2 - half(nodes[number]) + MARGIN
    middle = (y + end_y) / 2
    path += f"C{x:.1f} {middle:.1f} {end_x:.1f} {middle:.1f} {end_x:.1f} {end_y:.1f}"
    return f'<path class="flow" d="{path}" marker-end="url(#ursa-graph-tip)"/>'


def _short(number: int) -> str:
    """1234567 -> 1.2 M."""
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "K")):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return str(number)
