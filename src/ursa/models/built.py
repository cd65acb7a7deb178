"""How a network was built: the builder's name and its arguments, kept on the network, enough to build it again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from torch import nn

from ursa.errors import TrainingError

Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True)
class Built:
    """A builder and what it was called with: numbers, texts, lists of them, and other networks' `Built`."""

    builder: str
    arguments: Mapping[str, Any]

    def to_json(self) -> dict[str, Any]:
        """A document that `ursa.models.load` builds the network from."""
        return {"builder": self.builder, "arguments": _plain(dict(self.arguments))}


def remembered(network: Network, builder: str, **arguments: Any) -> Network:
    """The network, with `network.built` set. Parts that are networks stand as their own `Built`.

    Where a part was not made by one of Ursa's builders, or occurs twice (so that its weights are shared), the whole
    cannot be built again from its arguments, and `network.built` is None.
    """
    parts = [part for value in arguments.values() for part in _parts(value)]
    known = all(built_of(part) for part in parts) and len({id(part) for part in parts}) == len(parts)
    setattr(network, "built", Built(builder, _described(arguments)) if known else None)  # noqa: B010, known to Module
    return network


def built_of(network: nn.Module) -> Built | None:
    """`network.built`, or None."""
    built = getattr(network, "built", None)
    return built if isinstance(built, Built) else None


def count(name: str, value: object, least: int = 1) -> int:
    """A whole number, at least `least`. Raises TrainingError that names it."""
    number = getattr(value, "__index__", None)
    if isinstance(value, bool) or number is None or number() < least:
        raise TrainingError(f"{name} has to be a whole number, at least {least}", found=repr(value))
    return int(number())


def counts(name: str, values: object) -> tuple[int, ...]:
    """Whole numbers, each at least 1. A single one counts as a sequence of one."""
    if isinstance(values, Sequence) and not isinstance(values, str):
        return tuple(count(f"each of {name}", value) for value in values)
    return (count(name, values),)


def share(name: str, value: object) -> float:
    """A number in [0, 1)."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1:
        raise TrainingError(f"{name} has to be a number from 0 to below 1", found=repr(value))
    return float(value)


def switch(name: str, value: object) -> bool:
    """True or False."""
    if not isinstance(value, bool):
        raise TrainingError(f"{name} has to be True or False", found=repr(value))
    return value


def network(name: str, value: object) -> nn.Module:
    """A torch network."""
    if not isinstance(value, nn.Module):
        raise TrainingError(f"{name} has to be a network, a torch.nn.Module", found=type(value).__name__)
    return value


def _parts(value: Any) -> list[nn.Module]:
    if isinstance(value, nn.Module):
        return [value]
    if isinstance(value, Mapping):
        return [part for inner in value.values() for part in _parts(inner)]
    return []


def _described(value: Any) -> Any:
    if isinstance(value, nn.Module):
        return built_of(value)
    if isinstance(value, Mapping):
        return {key: _described(inner) for key, inner in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _plain(value: Any) -> Any:
    if isinstance(value, Built):
        return value.to_json()
    return {key: _plain(inner) for key, inner in value.items()} if isinstance(value, Mapping) else value
