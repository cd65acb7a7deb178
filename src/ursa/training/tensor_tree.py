"""A tensor, or a tuple, list or dict of tensors: what networks take and give."""

from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor


def tree_map(tree: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """The same tensor, tuple, list or dict of tensors, each changed."""
    if isinstance(tree, Tensor):
        return change(tree)
    if isinstance(tree, Mapping):
        return {name: tree_map(part, change) for name, part in tree.items()}
    if isinstance(tree, tuple | list):
        return type(tree)(tree_map(part, change) for part in tree)
    return tree


def tree_leaves(tree: Any) -> list[Tensor]:
    """The tensors of a tuple, list or dict of them, in order."""
    if isinstance(tree, Tensor):
        return [tree]
    parts = tree.values() if isinstance(tree, Mapping) else tree if isinstance(tree, tuple | list) else ()
    return [tensor for part in parts for tensor in tree_leaves(part)]
