"""Complete state of a run <-> one file (see `tensor_file`). Best weights lie in one of their own, as they change less.

Not in it: random generators and the position in the data. Both are functions of the recipe's seed and the step.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ursa.errors import TrainingError
from ursa.recipe import Recipe
from ursa.training.batches.batch import mapped
from ursa.training.checkpoints.tensor_file import DAMAGE, damaged, decoded, encoded, read, write
from ursa.training.history import Best, History
from ursa.training.loop import State

STEP = ("step", "epoch", "loss", "lr")  # columns of the history's tensor [steps, 4] float64
COUNTS = ("step", "mu_product")  # numbers of torch's optimisers that stay on the CPU, unless it is fused or capturable
HOW = ("fused", "foreach", "capturable", "differentiable")  # how an update is computed here, not what it computes


@dataclass(frozen=True)
class Checkpoint:
    """A state that was read from its file, on the CPU."""

    step: int  # steps done
    recipe: Mapping[str, Any]
    data: str  # what the run says of its data: another text, other data
    history: History
    best: tuple[int, dict[str, float]]  # epoch and record
    seconds: float  # spent so far on the epoch that the step is in
    versions: Mapping[str, str]  # of Ursa and torch that wrote it; others go on, but perhaps not bit for bit
    model: Mapping[str, Tensor]  # weights and buffers by name
    optimizer: Mapping[str, Any]  # see `_of_optimizer`
    average: tuple[int, list[Tensor]] | None  # steps, and the values by position
    scaler: Mapping[str, Any] | None

    def restore(self, state: State) -> None:
        """The state becomes what it was, on the device and in the memory layout that it has now.

        Raises TrainingError, with the state as it was, where model, optimiser, average or scaler are others.
        """
        _check_model(self.model, state.model)
        _check_optimizer(self.optimizer, state.optimizer)
        _check_average(self.average, state)
        _check_both("a scaler of gradients", self.scaler, state.scaler)
        with torch.no_grad():
            for name, place in of_model(state.model).items():
                place.copy_(self.model[name])
            _restore_optimizer(self.optimizer, state.optimizer)
            if state.average is not None and self.average is not None:
                state.average.steps, values = self.average
                for place, value in zip(state.average.tensors(), values, strict=True):
                    place.copy_(value)
        if state.scaler is not None and self.scaler is not None:
            state.scaler.load_state_dict(dict(self.scaler))
        state.step = self.step


def save(
    path: Path, state: State, recipe: Recipe, history: History, best: Best, data: str = "", seconds: float = 0.0
) -> None:
    """Write all but the best weights. history: read to its last step. Raises DataError when it cannot be written."""
    tensors = {f"model/{name}": tensor for name, tensor in of_model(state.model).items()}
    document = {
        "step": state.step,
        "recipe": recipe.flat(),
        "data": data,
        "epochs": history.epochs,
        "stopped": history.stopped,
        "best": [best.epoch, best.record],
        "seconds": seconds,
        "optimizer": encoded(_of_optimizer(state.optimizer), "optimizer", tensors),
        "average": None if state.average is None else state.average.steps,
        "scaler": None if state.scaler is None else state.scaler.state_dict(),
    }
    if state.average is not None:
        tensors |= {f"average/{number}": tensor for number, tensor in enumerate(state.average.tensors())}
    steps = [[step[name] for name in STEP] for step in history.steps]
    tensors["history"] = torch.tensor(steps, dtype=torch.float64).reshape(-1, len(STEP))
    write(path, tensors, document)


def load(path: Path) -> Checkpoint:
    """Read what `save` wrote. Raises DataError for a damaged file, a foreign one, or one of a newer Ursa."""
    tensors, document = read(path, follow=False)
    try:
        rows = tensors["history"].reshape(-1, len(STEP)).tolist()
        steps = [{"step": int(s), "epoch": int(e), "loss": loss, "lr": lr} for s, e, loss, lr in rows]
        epoch, record = document["best"]
        return Checkpoint(
            step=_step(document["step"]),
            recipe=dict(document["recipe"]),
            data=str(document["data"]),
            history=History(steps, [_record(epoch) for epoch in document["epochs"]], document["stopped"]),
            best=(int(epoch), _record(record)),
            seconds=float(document["seconds"]),
            versions=dict(document["versions"]),
            model=_below("model/", tensors),
            optimizer=decoded(document["optimizer"], tensors),
            average=_average(document["average"], tensors),
            scaler=None if document["scaler"] is None else dict(document["scaler"]),
        )
    except DAMAGE as problem:
        raise damaged(path, problem) from problem


def _step(step: Any) -> int:
    if type(step) is not int or step < 0:
        raise ValueError(f"it says that {step!r} steps were done")
    return step


def _record(record: Any) -> dict[str, float]:
    """What is known of an epoch: numbers by name."""
    if not isinstance(record, dict) or not all(isinstance(value, int | float) for value in record.values()):
        raise ValueError("what it says of an epoch is not numbers by name")
    return dict(record)


def save_weights(path: Path, weights: Mapping[str, Tensor]) -> None:
    """Write weights by name. Raises DataError when they cannot be written."""
    write(path, weights, {})


def load_weights(path: Path) -> dict[str, Tensor]:
    """Read what `save_weights` wrote. Raises DataError for a damaged file or a foreign one."""
    return read(path, follow=False)[0]


def of_model(model: nn.Module) -> dict[str, Tensor]:
    """All weights and buffers by name, those too that a state_dict leaves out. Raises TrainingError for other state."""
    other = [name for name in model.state_dict() if name.endswith("_extra_state")]
    if other:
        raise TrainingError(
            "the model keeps something that is no tensor, which a checkpoint cannot hold",
            found=", ".join(other[:3]),
            fix="keep it in a buffer, or train without checkpoints",
        )
    weights, buffers = model.named_parameters(remove_duplicate=False), model.named_buffers(remove_duplicate=False)
    return dict(weights) | dict(buffers)


def _of_optimizer(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Kind, groups without their weights, number of weights by group, state by the weight's position."""
    groups = optimizer.param_groups
    positions = {id(weight): i for i, weight in enumerate(_weights(optimizer))}
    return {
        "kind": type(optimizer).__name__,
        "weights": [len(group["params"]) for group in groups],
        "groups": [{name: value for name, value in group.items() if name != "params"} for group in groups],
        "state": {positions[id(weight)]: dict(state) for weight, state in optimizer.state.items()},
    }


def _restore_optimizer(saved: Mapping[str, Any], optimizer: torch.optim.Optimizer) -> None:
    """By hand, as torch's load_state_dict would round state to the type of the weights and lose its memory layout."""
    for group, before in zip(optimizer.param_groups, saved["groups"], strict=True):
        group.update({name: value for name, value in before.items() if name not in HOW})
    placed = [(weight, group) for group in optimizer.param_groups for weight in group["params"]]
    optimizer.state.clear()
    for position, state in saved["state"].items():
        weight, group = placed[position]
        optimizer.state[weight] = {name: _beside(weight, group, name, value) for name, value in state.items()}


def _beside(weight: Tensor, group: Mapping[str, Any], name: str, value: Any) -> Any:
    """State of a weight where the optimiser expects it."""

    def there(tensor: Tensor) -> Tensor:
        if name in COUNTS and not (group.get("fused") or group.get("capturable")):
            return tensor.clone()
        if tensor.shape == weight.shape:
            return torch.empty_like(weight, dtype=tensor.dtype, requires_grad=False).copy_(tensor)
        return tensor.to(weight.device, copy=True)

    return mapped(value, there)


def _weights(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    return [weight for group in optimizer.param_groups for weight in group["params"]]


def _check_model(tensors: Mapping[str, Tensor], model: nn.Module) -> None:
    saved = {name: list(tensor.shape) for name, tensor in tensors.items()}
    now = {name: list(tensor.shape) for name, tensor in of_model(model).items()}
    differences = {
        "not in the checkpoint": [name for name in now if name not in saved],
        "not in this model": [name for name in saved if name not in now],
        "of another shape": [
            f"{name} {saved[name]}, here {now[name]}" for name in now if saved.get(name, now[name]) != now[name]
        ],
    }
    if any(differences.values()):
        raise TrainingError(
            "the checkpoint is of another model",
            found="; ".join(f"{what}: {_first(names)}" for what, names in differences.items() if names),
            fix="build the model as it was when the run began, or begin a new run",
        )


def _check_optimizer(saved: Mapping[str, Any], optimizer: torch.optim.Optimizer) -> None:
    now = (type(optimizer).__name__, [len(group["params"]) for group in optimizer.param_groups])
    known = all(0 <= position < sum(now[1]) for position in saved["state"])
    if (saved["kind"], saved["weights"]) != now or not known:
        raise TrainingError(
            "the checkpoint is of another optimiser",
            found=f"{saved['kind']} with {saved['weights']} weights by group; here {now[0]} with {now[1]}",
            fix="freeze the same layers and make the same optimiser, or begin a new run",
        )


def _check_average(saved: tuple[int, list[Tensor]] | None, state: State) -> None:
    _check_both("an average of the weights", saved, state.average)
    if saved is not None and state.average is not None:
        shapes, now = ([list(tensor.shape) for tensor in some] for some in (saved[1], state.average.tensors()))
        if shapes != now:
            raise TrainingError(
                "the checkpoint's average is of other weights",
                found=f"{len(shapes)} averaged, here {len(now)}",
                fix="freeze the same layers, or begin a new run",
            )


def _check_both(what: str, saved: object, here: object) -> None:
    if (saved is None) != (here is None):
        where = "has none, this state has one" if saved is None else "has one, this state has none"
        raise TrainingError(
            f"the run differs in {what}", found=f"the checkpoint {where}", fix="give it, or leave it out"
        )


def _first(names: list[str], count: int = 3) -> str:
    return ", ".join(names[:count]) + (f" and {len(names) - count} more" if len(names) > count else "")


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def _average(steps: int | None, tensors: Mapping[str, Tensor]) -> tuple[int, list[Tensor]] | None:
    values = _below("average/", tensors)
    return None if steps is None else (int(steps), [values[str(number)] for number in range(len(values))])
