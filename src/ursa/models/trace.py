"""A network and inputs -> what each of its modules was called with, gave, and cost. The network stays as it was."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ursa.errors import TrainingError

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Call:
    """One call of one module."""

    name: str  # where it stands in the network; "" is the network itself
    module: nn.Module
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
    multiply_adds: int  # in matrix products and convolutions, without those of the modules called in it
    memory: int  # bytes of the outputs, without what only refers to an input
    leaf: bool  # no other module was called in it


def calls(model: nn.Module, inputs: Sequence[Any]) -> tuple[Call, ...]:
    """Run the network once, in evaluation mode and without gradients -> its calls in the order in which they began."""
    names = {module: name for name, module in model.named_modules()}
    done: dict[int, Call] = {}
    counter = FlopCounterMode(display=False)
    open_calls: list[list[int]] = []  # number of the call, operations before it, operations of calls within it

    def enter(*_: Any) -> None:
        open_calls.append([len(done) + len(open_calls), counter.get_total_flops(), 0])

    def leave(module: nn.Module, given: Any, named: Any, result: Any) -> None:
        number, before, within = open_calls.pop()
        operations = counter.get_total_flops() - before or 2 * _recurrent(module, result)
        if open_calls:
            open_calls[-1][2] += operations
        taken, made = tensors((given, named)), tensors(result)
        held = {tensor.data_ptr() for tensor in taken}
        done[number] = Call(
            names[module],
            module,
            inputs=tuple(tuple(tensor.shape) for tensor in taken),
            outputs=tuple(tuple(tensor.shape) for tensor in made),
            multiply_adds=(operations - within) // 2,
            memory=sum(tensor.nbytes for tensor in made if tensor.data_ptr() not in held),
            leaf=len(done) + len(open_calls) == number,
        )

    with undisturbed(model), _counted_attention(), hooked(names, enter, leave), counter:
        model(*inputs)
    return tuple(done[number] for number in sorted(done))


def as_inputs(model: nn.Module, given: Sequence[Any]) -> tuple[Any, ...]:
    """Tensors stay; a shape such as (1, 3, 224, 224) becomes zeros, where the weights are and of their type."""
    if not given:
        raise TrainingError(
            "there is nothing to run the network on", fix="give a batch, or its shape: (1, 3, 224, 224)"
        )
    like = next((p for p in model.parameters() if p.is_floating_point()), torch.zeros(()))
    made = []
    for one in given:
        if isinstance(one, Sequence) and all(isinstance(size, int) for size in one):
            if not all(size > 0 for size in one):
                raise TrainingError("a shape has whole numbers above 0", found=str(tuple(one)))
            made.append(torch.zeros(tuple(one), dtype=like.dtype, device=like.device))
        else:
            made.append(one)
    return tuple(made)


def tensors(value: Any) -> list[Tensor]:
    """All tensors within tuples, lists and mappings, in order."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, Mapping):
        value = value.values()
    elif not isinstance(value, tuple | list):
        return []
    return [tensor for inner in value for tensor in tensors(inner)]


@contextlib.contextmanager
def undisturbed(model: nn.Module, *, evaluate: bool = True) -> Iterator[None]:
    """No gradients, evaluation mode if asked for; modes, buffers and torch's random stream as before in the end."""
    modes = [(module, module.training) for module in model.modules()]
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()] if not evaluate else []
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        try:
            if evaluate:
                model.eval()
            yield
        finally:
            for module, training in modes:
                module.training = training
            for buffer, before in buffers:
                buffer.copy_(before)


@contextlib.contextmanager
def hooked(modules: Mapping[nn.Module, str], enter: Any, leave: Any) -> Iterator[None]:
    """`enter(module, args, kwargs)` and `leave(module, args, kwargs, result)` around every call of the modules."""
    handles = []
    try:
        for module in modules:
            handles.append(module.register_forward_pre_hook(enter, with_kwargs=True, prepend=True))
            handles.append(module.register_forward_hook(leave, with_kwargs=True))
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextlib.contextmanager
def _counted_attention() -> Iterator[None]:
    """Attention in its single steps, as torch counts none in its fused form for inference."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def _recurrent(module: nn.Module, result: Any) -> int:
    """Multiply-adds of a recurrent layer, which torch does not count: each weight once an example and step."""
    if not isinstance(module, nn.RNNBase) or not tensors(result):
        return 0
    output = tensors(result)[0]
    return output.numel() // output.shape[-1] * sum(p.numel() for p in module.parameters() if p.ndim == 2)
