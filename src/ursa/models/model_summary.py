"""A network and inputs -> a table of its layers: output shapes, parameters, multiply-adds, memory."""

import html
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from torch import nn

from ursa.models.shape_errors import explain
from ursa.models.trace import Call, Shape, as_inputs, calls, tensors

HEADER = ("Layer", "Kind", "Output", "Parameters", "Trained", "MACs", "Memory")
WIDTHS = (26, 16, 20, 11, 7, 7, 7)  # at most, in characters: the table fits 100 columns


@dataclass(frozen=True)
class Row:
    """One layer. A layer that is called several times, or whose weights another one shares, counts them once."""

    name: str
    kind: str
    outputs: tuple[Shape, ...]  # of its first call; empty for a layer that was not called
    parameters: int
    trainable: int
    multiply_adds: int  # of all its calls
    memory: int  # bytes of the outputs of all its calls
    calls: int


@dataclass(frozen=True, repr=False)
class Summary:
    """What a network is made of and what a forward pass costs. Printed, at a prompt and in a notebook it is a table."""

    kind: str
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
    rows: tuple[Row, ...]
    weights_memory: int  # bytes of parameters and buffers

    @property
    def parameters(self) -> int:
        """How many numbers can be learned."""
        return sum(row.parameters for row in self.rows)

    @property
    def trainable(self) -> int:
        """How many of them are not frozen."""
        return sum(row.trainable for row in self.rows)

    @property
    def multiply_adds(self) -> int:
        """In matrix products and convolutions, for the whole batch."""
        return sum(row.multiply_adds for row in self.rows)

    @property
    def memory(self) -> int:
        """Bytes of all layers' outputs, about what training keeps for the backward pass."""
        return sum(row.memory for row in self.rows)

    def to_json(self) -> dict[str, Any]:
        """The table and its totals as a document."""
        totals = ("parameters", "trainable", "multiply_adds", "memory")
        document: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return document | {name: getattr(self, name) for name in totals}

    def __str__(self) -> str:
        lines = [HEADER, *(_cells(row) for row in self.rows)]
        widths = [min(most, max(len(line[i]) for line in lines)) for i, most in enumerate(WIDTHS)]
        table = [_line(line, widths) for line in lines]
        rule = "-" * max(map(len, table))
        return "\n".join([self._title(), rule, table[0], rule, *table[1:], rule, self._total()])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        def row(cells: Sequence[str], tag: str) -> str:
            align = ("left", "left", "left", "right", "right", "right", "right")
            inner = (
                f"<{tag} style='text-align:{a}'>{html.escape(c)}</{tag}>" for a, c in zip(align, cells, strict=True)
            )
            return f"<tr>{''.join(inner)}</tr>"

        body = "".join(row(_cells(one), "td") for one in self.rows)
        title, total = html.escape(self._title()), html.escape(self._total())
        return f"<table><caption>{title}</caption>{row(HEADER, 'th')}{body}</table><p>{total}</p>"

    def _title(self) -> str:
        return f"{self.kind}: {_shapes(self.inputs)} -> {_shapes(self.outputs)}"

    def _total(self) -> str:
        frozen = f", {self.parameters - self.trainable:,} of them frozen" if self.trainable < self.parameters else ""
        return (
            f"{self.parameters:,} parameters{frozen} ({_amount(self.weights_memory, 1024)}B), "
            f"{_amount(self.multiply_adds, 1000).strip()} multiply-adds, {_amount(self.memory, 1024)}B of outputs"
        )


def summary(model: nn.Module, *inputs: Any) -> Summary:
    """`summary(model, (64, 3, 224, 224))`, or with tensors: one shape or tensor for each input, the batch included.

    Runs the network once in evaluation mode and leaves it as it was. Raises TrainingError that names the layer which
    cannot take its input.
    """
    given = as_inputs(model, inputs)
    try:
        made = calls(model, given)
    except Exception as problem:  # whatever a network's own code raises
        raise explain(model, given, problem) from problem
    buffers_and_weights = {id(t): t.nbytes for t in (*model.parameters(), *model.buffers())}
    return Summary(
        kind=type(model).__name__,
        inputs=tuple(tuple(tensor.shape) for tensor in tensors(given)),
        outputs=made[0].outputs,
        rows=tuple(_rows(model, made)),
        weights_memory=sum(buffers_and_weights.values()),
    )


def _rows(model: nn.Module, made: tuple[Call, ...]) -> Iterator[Row]:
    """Layers in the order of their first call, then what was not called but has parameters."""
    of: dict[nn.Module, list[Call]] = {}
    for call in made:
        of.setdefault(call.module, []).append(call)
    counted: set[int] = set()
    for module, its in of.items():
        whole = all(call.leaf for call in its)  # nothing inside of it was called: what is inside counts as its own
        own = list(module.parameters(recurse=whole))
        if not isinstance(module, nn.Identity) and (whole or own or any(call.multiply_adds for call in its)):
            yield _row(its[0].name, module, its, own, counted, memory=whole)
    for name, module in model.named_modules():
        own = [p for p in module.parameters(recurse=False) if id(p) not in counted]
        if own:
            yield _row(name, module, [], own, counted)


def _row(
    name: str, module: nn.Module, its: list[Call], own: list[nn.Parameter], counted: set[int], memory: bool = False
) -> Row:
    new = [p for p in own if id(p) not in counted]
    counted |= {id(p) for p in own}
    return Row(
        name=name,
        kind=type(module).__name__,
        outputs=its[0].outputs if its else (),
        parameters=sum(p.numel() for p in new),
        trainable=sum(p.numel() for p in new if p.requires_grad),
        multiply_adds=sum(call.multiply_adds for call in its),
        memory=sum(call.memory for call in its) if memory else 0,
        calls=len(its),
    )


def _cells(row: Row) -> tuple[str, ...]:
    learns = (
        "" if not row.parameters else "yes" if row.trainable == row.parameters else "part" if row.trainable else "no"
    )
    return (
        row.name or "(itself)",
        row.kind + (f" x{row.calls}" if row.calls > 1 else ""),
        _shapes(row.outputs) if row.calls else "not called",
        f"{row.parameters:,}" if row.parameters else "",
        learns,
        _amount(row.multiply_adds, 1000) if row.multiply_adds else "",
        _amount(row.memory, 1024) + "B" if row.memory else "",
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Names keep their end, which tells them apart; the rest keeps its beginning."""
    name = cells[0] if len(cells[0]) <= widths[0] else "…" + cells[0][1 - widths[0] :]
    texts = [cell if len(cell) <= width else cell[: width - 1] + "…" for cell, width in zip(cells, widths, strict=True)]
    left = [text.ljust(width) for text, width in zip([name, *texts[1:3]], widths[:3], strict=True)]
    right = [text.rjust(width) for text, width in zip(texts[3:], widths[3:], strict=True)]
    return " ".join([*left, *right]).rstrip()


def _shapes(shapes: Sequence[Shape]) -> str:
    return ", ".join(str(list(shape)) for shape in shapes) or "nothing"


def _amount(number: float, step: int) -> str:
    """1234567 -> 1.23 M."""
    for unit in ("", "K", "M", "G", "T"):
        if number < step or unit == "T":
            break
        number /= step
    return f"{number:.3g} {unit}" if number < 999.5 else f"{number:.0f} {unit}"
