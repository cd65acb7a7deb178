"""A network and inputs -> a diagram of it as Mermaid text, which JupyterLab, GitHub and VS Code draw.

https://mermaid.js.org/syntax/flowchart.html
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from ursa.core.text import escaped
from ursa.errors import TrainingError
from ursa.models.layer_graph.flow import LayerNode, collapsed, flow
from ursa.models.shape_errors import explain
from ursa.models.trace import as_inputs

READABLE = 40  # boxes in one diagram
DEEPEST = 6

STYLES = {  # lines only: fills are the page's, light or dark
    "learns": "stroke-width:2.5px",
    "again": "stroke-dasharray:5 3",
}


@dataclass(frozen=True, repr=False)
class LayerGraph:
    """Which layer's output goes where. In a notebook it is drawn; `str(graph)` is Mermaid, `graph.markdown()` a block.

    A node's `sources` are the numbers of earlier nodes in `nodes`.
    """

    title: str
    nodes: tuple[LayerNode, ...]

    def __str__(self) -> str:
        boxes = [f"  {_box(number, node)}" for number, node in enumerate(self.nodes)]
        arrows = [
            f"  n{source} --> n{number}" for number, node in enumerate(self.nodes) for source in sorted(node.sources)
        ]
        styles = [f"  classDef {name} {style}" for name, style in STYLES.items()]
        return "\n".join(["flowchart TD", *boxes, *arrows, *styles])

    def __repr__(self) -> str:
        arrows = sum(len(node.sources) for node in self.nodes)
        return f"<LayerGraph of {self.title}: {len(self.nodes)} boxes, {arrows} arrows; print it>"

    def markdown(self) -> str:
        """A code block that GitHub, GitLab and VS Code draw where it stands in a Markdown file."""
        return f"```mermaid\n{self}\n```\n"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """For notebooks: JupyterLab 4.1 and Notebook 7.1 draw text/vnd.mermaid themselves."""
        return {"text/vnd.mermaid": str(self), "text/markdown": self.markdown(), "text/plain": repr(self)}


def graph(model: nn.Module, *inputs: Any, depth: int | None = None) -> LayerGraph:
    """`graph(model, (1, 3, 224, 224))`, or with tensors: one shape or tensor for each input, the batch included.

    A box holds the kind of a layer, its parameters, its name and the shape of what comes out. Parts of the network are
    opened as deep as the diagram stays readable, or `depth` levels. Equal layers in a row are one box with their
    number; a layer that is called again has a dashed frame. Where tensors meet stands what joins them; reshapes and
    activations that are called as functions are not drawn. Runs the network in evaluation mode and leaves it as it was.
    Raises TrainingError that names the layer which cannot take its input.
    """
    if depth is not None and depth < 1:
        raise TrainingError("a diagram of a network is at least one level deep", found=f"depth={depth}")
    given = as_inputs(model, inputs)
    try:
        return LayerGraph(type(model).__name__, tuple(_nodes(model, given, depth)))
    except Exception as problem:  # whatever a network's own code raises
        raise explain(model, given, problem) from problem


def _nodes(model: nn.Module, inputs: Sequence[Any], depth: int | None) -> list[LayerNode]:
    nodes = collapsed(flow(model, inputs, depth or 1))
    for deeper in range(2, DEEPEST + 1 if depth is None else 0):
        opened = collapsed(flow(model, inputs, deeper))
        if len(opened) > READABLE:
            break
        nodes = opened
    return nodes


def _box(number: int, node: LayerNode) -> str:
    if node.role == "join":
        return f'n{number}(("{_text(node.title)}"))'
    if node.role != "layer":
        return f'n{number}(["{_text(node.title)} {_text(_shape(node))}"])'
    title = node.title + (f" × {node.repeats}" if node.repeats > 1 else "") + (", again" if node.call > 1 else "")
    size = f"{node.parameters:,} parameters" if node.parameters else ""
    lines = "<br/>".join(filter(None, (f"<b>{_text(title)}</b>", _text(node.name), size, _text(_shape(node)))))
    frame = '[["{}"]]' if node.repeats > 1 else '["{}"]'
    style = ":::again" if node.call > 1 else ":::learns" if node.parameters else ""
    return f"n{number}{frame.format(lines)}{style}"


def _shape(node: LayerNode) -> str:
    return str(list(node.shape))


def _text(words: str) -> str:
    """Names from outside as text of a label and nothing else: Mermaid's marks as its entities, `#35;` for #."""
    return re.sub(r"""[^\w\s.,:+×÷−@/\[\]-]""", lambda found: f"#{ord(found[0])};", escaped(words))
