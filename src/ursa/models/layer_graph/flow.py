"""A network and inputs -> which layer's output goes where, found by running it once and following the tensors."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ursa.models.trace import hooked, tensors, undisturbed

JOINS = {"add": "+", "iadd": "+", "sub": "−", "mul": "×", "cat": "cat", "concat": "cat", "stack": "stack"}
JOINS |= {"matmul": "@", "bmm": "@", "div": "÷", "truediv": "÷", "maximum": "max", "minimum": "min"}
WHOLE = (nn.MultiheadAttention, nn.RNNBase, nn.Identity)  # one layer to their user, whatever is inside


@dataclass(frozen=True)
class LayerNode:
    """An input, a layer (or a part of the network), a place where several tensors meet, or an output."""

    role: str  # "input", "layer", "join", "output"
    title: str
    name: str  # where it stands in the network
    shape: tuple[int, ...]  # of what comes out
    sources: tuple[int, ...]  # numbers of earlier nodes
    parameters: int = 0
    call: int = 1  # which call of the same layer it is
    repeats: int = 1  # how many alike in a row it stands for


def flow(model: nn.Module, inputs: Sequence[Any], depth: int) -> list[LayerNode]:
    """Nodes in the order of computing; parts of the network are opened `depth` levels deep."""
    followed = _Followed()
    for number, tensor in enumerate(tensors(inputs)):
        title = "input" if len(tensors(inputs)) == 1 else f"input {number + 1}"
        followed.add(LayerNode("input", title, "", tuple(tensor.shape), ()), tensor)
    parts = {module: name for name, module in _parts(model, "", depth)}
    followed.names = parts
    with undisturbed(model), hooked(parts, followed.enter, followed.leave), followed:
        result = model(*inputs)
    named = result.items() if isinstance(result, dict) else [("output", result)]
    for title, value in named:
        for tensor in tensors(value):
            shape, sources = tuple(tensor.shape), followed.sources([tensor])
            followed.nodes.append(LayerNode("output", str(title), "", shape, sources))
    return followed.nodes


def collapsed(nodes: Sequence[LayerNode]) -> list[LayerNode]:
    """Layers alike that follow each other, with nothing else attached, as one node each run."""
    users = [0] * len(nodes)
    for node in nodes:
        for source in node.sources:
            users[source] += 1
    kept: list[LayerNode] = []
    now: dict[int, int] = {}  # number before -> number after
    for number, node in enumerate(nodes):
        moved = replace(node, sources=tuple(dict.fromkeys(now[source] for source in node.sources)))
        before = nodes[node.sources[0]] if len(node.sources) == 1 else None
        if before is not None and users[node.sources[0]] == 1 and _alike(before, node):
            now[number] = now[node.sources[0]]
            earlier = kept[now[number]]
            first = earlier.name.split(" to ")[0]
            kept[now[number]] = replace(
                earlier,
                name=f"{first} to {node.name.rpartition('.')[2]}",
                repeats=earlier.repeats + 1,
                parameters=earlier.parameters + node.parameters,
            )
        else:
            now[number] = len(kept)
            kept.append(moved)
    return kept


class _Followed(TorchFunctionMode):
    """Remembers, while the network runs, which node each tensor comes from."""

    def __init__(self) -> None:
        super().__init__()
        self.nodes: list[LayerNode] = []
        self.names: dict[nn.Module, str] = {}
        self.origin: dict[int, tuple[int, ...]] = {}
        self.alive: list[Tensor] = []  # so that no two tensors have the same id
        self.inside = 0  # layers entered and not left: what happens in there is theirs
        self.calls: dict[nn.Module, int] = {}

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        made = tensors(result)
        if self.inside or not made:
            return result
        sources = self.sources(tensors((args, kwargs or {})))
        name = str(getattr(function, "__name__", function)).strip("_")
        if len(sources) > 1:
            self.add(LayerNode("join", JOINS.get(name, name), "", tuple(made[0].shape), sources), *made)
        else:  # a reshape, an activation called as a function: still what it was
            self.came_from(sources, made)
        return result

    def enter(self, *_: Any) -> None:
        self.inside += 1

    def leave(self, module: nn.Module, given: Any, named: Any, result: Any) -> Any:
        self.inside -= 1
        if self.inside or isinstance(module, nn.Identity):
            return result
        taken = tensors((given, named))
        if isinstance(result, Tensor) and any(result is t for t in taken) and not getattr(module, "inplace", False):
            result = result.view_as(result)  # dropout that does nothing: what went in has to stay apart
        made = tensors(result)
        self.calls[module] = self.calls.get(module, 0) + 1
        node = LayerNode(
            "layer",
            _title(module),
            self.names[module],
            tuple(made[0].shape) if made else (),
            self.sources(taken),
            sum(p.numel() for p in module.parameters()),
            self.calls[module],
        )
        self.add(node, *made)
        return result

    def add(self, node: LayerNode, *made: Tensor) -> None:
        self.nodes.append(node)
        self.came_from((len(self.nodes) - 1,), made)

    def came_from(self, sources: tuple[int, ...], made: Sequence[Tensor]) -> None:
        for tensor in made:
            self.origin[id(tensor)] = sources
        self.alive.extend(made)

    def sources(self, given: Sequence[Tensor]) -> tuple[int, ...]:
        return tuple(dict.fromkeys(number for tensor in given for number in self.origin.get(id(tensor), ())))


def _parts(module: nn.Module, name: str, depth: int) -> list[tuple[str, nn.Module]]:
    """The modules that are drawn as boxes."""
    found = []
    for child_name, child in module.named_children():
        full = f"{name}.{child_name}" if name else child_name
        inner = isinstance(child, nn.ModuleList | nn.ModuleDict)  # never called themselves
        if inner or (depth > 1 and any(True for _ in child.children()) and not isinstance(child, WHOLE)):
            found += _parts(child, full, depth if inner else depth - 1)
        else:
            found.append((full, child))
    return found or [(name, module)]


def _title(module: nn.Module) -> str:
    """The kind, and for a convolution its window."""
    kind = type(module).__name__
    if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        step = f" /{module.stride[0]}" if module.stride[0] > 1 else ""
        return f"{kind} {'×'.join(map(str, module.kernel_size))}{step}"
    return f"{kind} {module.p:g}" if isinstance(module, nn.Dropout) else kind


def _alike(one: LayerNode, other: LayerNode) -> bool:
    facts = [(node.role, node.title, node.shape, node.parameters, node.call) for node in (one, other)]
    return facts[0] == facts[1] and one.role == "layer"
