"""A state to try things with, on copies: whatever is done with it, the original stays as it is, bit for bit.

with restored(state) as own:        # the same modules and parameters, so whoever holds them sees the trial too
    for step in train(own, ...): ...
"""

import contextlib
import copy
import random
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from torch import Tensor, nn

from ursa.training.loop import State
from ursa.training.optim.optimizers import parameters_of
from ursa.training.randomness import generators

Undo = Callable[[], None]


@contextlib.contextmanager
def restored(state: State) -> Iterator[State]:
    """Inside, a state at step 0 with the same model and optimiser, but on copies of everything that training changes.

    The originals are put aside and put back at the end, however it ends (break, exception, Ctrl-C): weights,
    gradients, buffers, what is frozen, training mode, the optimiser's memory and groups, and the random streams of
    torch, numpy and Python. Neither the count of steps, the average of the weights nor the scaler is touched. Needs the
    memory of one more copy. Plain Python values that a module changes in itself are not known and not put back.
    """
    undo: list[Undo] = []
    try:
        _streams(undo)
        for aside in (_buffers, _weights, _optimizer):
            aside(state, undo)
        yield State(state.model, state.optimizer, scaler=copy.deepcopy(state.scaler))
    finally:
        for put_back in reversed(undo):
            put_back()


def _streams(undo: list[Undo]) -> None:
    undo += [_call(of.set_state, of.get_state()) for of in generators()]
    undo.append(_call(np.random.set_state, np.random.get_state()))
    undo.append(_call(random.setstate, random.getstate()))


def _buffers(state: State, undo: list[Undo]) -> None:
    for module in state.model.modules():
        undo.append(_call(setattr, module, "training", module.training))
        undo.append(_call(_refill, module._buffers, dict(module._buffers)))
    copies = {id(buffer): buffer.clone() for buffer in state.model.buffers()}  # a shared one stays shared
    for module in state.model.modules():
        module._buffers.update({n: b if b is None else copies[id(b)] for n, b in module._buffers.items()})


def _weights(state: State, undo: list[Undo]) -> None:
    optimized = parameters_of(state.optimizer)
    for weight in {id(w): w for w in (*state.model.parameters(), *optimized)}.values():
        undo.append(_call(_put_back, weight, weight.data, weight.grad, weight.requires_grad))
        weight.data, weight.grad = weight.data.clone(), None


def _optimizer(state: State, undo: list[Undo]) -> None:
    optimizer = state.optimizer
    undo.append(_call(setattr, optimizer, "state", optimizer.state))
    groups = optimizer.param_groups
    undo += [_call(_refill, group, {**group, "params": list(group["params"])}) for group in groups]
    optimizer.state = defaultdict(dict, {weight: _copied(memory) for weight, memory in optimizer.state.items()})


def _copied(memory: dict[str, Any]) -> dict[str, Any]:
    return {name: v.clone() if isinstance(v, Tensor) else copy.deepcopy(v) for name, v in memory.items()}


def _refill(values: dict[str, Any], before: dict[str, Any]) -> None:
    values.clear()
    values.update(before)


def _put_back(weight: nn.Parameter, data: Tensor, grad: Tensor | None, learns: bool) -> None:
    weight.data, weight.grad = data, grad
    weight.requires_grad_(learns)


def _call(function: Callable[..., Any], *arguments: Any) -> Undo:
    return lambda: function(*arguments)
