"""A network -> its layers in groups, first layers first, the head last: for rates that differ, and for freezing."""

import itertools
from collections.abc import Iterator
from typing import Any

from torch import nn

from ursa.errors import TrainingError
from ursa.models.trace import calls

Group = list[nn.Module]  # modules that own parameters; each counts with its own only: `parameters(recurse=False)`

CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def layer_groups(model: nn.Module, parts: int = 3, *, inputs: tuple[Any, ...] | None = None) -> list[Group]:
    """The body in `parts` runs of about equal numbers of layers, then the head; fewer runs where there is less to cut.

    Every module that owns parameters is in exactly one group. A layer is a module with a matrix or a kernel of weights;
    norms stay with the layer before them. Cuts fall between blocks (residual blocks, transformer blocks), within one
    only where it is most of the network. What a network owns itself (a class token, position embeddings) is in its
    first group. Modules count in the order in which they stand in the network, or are used on `inputs` if given.
    The head is `model.head`, or else the last module with parameters. Raises TrainingError where there are none.
    """
    if parts < 1:
        raise TrainingError("a network is cut into at least one part", found=f"parts={parts}")
    head = head_of(model)
    units = list(_units(model, {id(module) for module in head}, _layers(model, head), parts))
    if inputs is not None:
        units = _by_use(model, units, inputs)
    return [*_cut(units, parts), head]


def parameter_groups(model: nn.Module, parts: int = 3, *, inputs: tuple[Any, ...] | None = None) -> list[list[Any]]:
    """The same groups as lists of parameters, each once: one that several modules share is in the first's group."""
    seen: set[int] = set()
    groups = []
    for group in layer_groups(model, parts, inputs=inputs):
        own = {id(p): p for module in group for p in module.parameters(recurse=False)}
        groups.append([p for key, p in own.items() if key not in seen])
        seen |= own.keys()
    return groups


def head_of(model: nn.Module) -> Group:
    """The modules of the head that own parameters."""
    head = getattr(model, "head", None)
    owners = _owners(head) if isinstance(head, nn.Module) and head is not model else []
    owners = owners or _owners(model)[-1:]
    if not owners:
        raise TrainingError("the network has no weights to learn", found=type(model).__name__)
    return owners


def freeze_to(model: nn.Module, n: int, parts: int = 3) -> None:
    """Only the groups from `n` on learn; negative counts from the end: -1 leaves the head, 0 everything."""
    groups = parameter_groups(model, parts)
    if not -len(groups) <= n <= len(groups):
        raise TrainingError(
            f"cannot freeze up to group {n}", found=f"{len(groups)} groups", fix=f"give {-len(groups)} to {len(groups)}"
        )
    first = n % len(groups) if n < 0 else n
    for number, group in enumerate(groups):
        for parameter in group:
            parameter.requires_grad_(number >= first)


def freeze(model: nn.Module) -> None:
    """Only the head learns."""
    freeze_to(model, -1)


def unfreeze(model: nn.Module) -> None:
    """Everything learns."""
    freeze_to(model, 0)


def _owners(module: nn.Module) -> Group:
    return [inner for inner in module.modules() if any(True for _ in inner.parameters(recurse=False))]


def _layers(module: nn.Module, without: Group | None = None) -> int:
    """How many of the modules within have a matrix or a kernel of weights."""
    skipped = {id(inner) for inner in without or ()}
    return _layers_of([owner for owner in _owners(module) if id(owner) not in skipped])


def _units(module: nn.Module, head: set[int], total: int, parts: int) -> Iterator[Group]:
    """What is not to be cut, in order: blocks, single layers, and what larger modules own beside their children."""
    owners = [owner for owner in _owners(module) if id(owner) not in head]
    layers = _layers(module)
    in_pieces = layers > total / 2 or (layers > total / (2 * parts) and _is_a_row(module))
    if layers <= 1 or not in_pieces:
        yield from [owners] if owners else []
        return
    if module in owners:
        yield [module]
    for child in module.children():
        yield from _units(child, head, total, parts)


def _is_a_row(module: nn.Module) -> bool:
    """Whether it is a container, or a stage: somewhere in it stand several blocks of one kind side by side."""
    if isinstance(module, CONTAINERS):
        return True
    for inner in module.modules():
        kinds = [type(child) for child in inner.children() if _layers(child) > 1]
        if len(kinds) > len(set(kinds)):
            return True
    return False


def _by_use(model: nn.Module, units: list[Group], inputs: tuple[Any, ...]) -> list[Group]:
    """The units in the order of their first use; one that is not called itself stays behind the one before it."""
    first: dict[int, int] = {}
    for number, call in enumerate(calls(model, inputs)):
        first.setdefault(id(call.module), number)
    keys, last = [], -1
    for unit in units:
        last = min((first[id(module)] for module in unit if id(module) in first), default=last)
        keys.append(last)
    return [unit for _, unit in sorted(zip(keys, units, strict=True), key=lambda pair: pair[0])]


def _cut(units: list[Group], parts: int) -> list[Group]:
    """Runs of units, the cuts where the number of layers so far is nearest to its share; of equals the last."""
    units = _with_layers(units)
    so_far = list(itertools.accumulate(_layers_of(unit) for unit in units))
    cuts: set[int] = set()
    for share in (so_far[-1] * part / parts for part in range(1, parts) if len(units) > 1):
        off = [abs(size - share) for size in so_far[:-1]]
        cuts.add(max(at + 1 for at, far in enumerate(off) if far == min(off)))
    bounds = [0, *sorted(cuts), len(units)]
    runs = [[module for unit in units[a:b] for module in unit] for a, b in itertools.pairwise(bounds)]
    return [run for run in runs if run]


def _with_layers(units: list[Group]) -> list[Group]:
    """What has no layer of its own joins the unit before it, at the start the one behind it."""
    joined: list[Group] = []
    for unit in units:
        if joined and (not _layers_of(unit) or not _layers_of(joined[-1])):
            joined[-1] = [*joined[-1], *unit]
        else:
            joined.append(unit)
    return joined


def _layers_of(owners: Group) -> int:
    return sum(any(p.ndim >= 2 for p in owner.parameters(recurse=False)) for owner in owners)
