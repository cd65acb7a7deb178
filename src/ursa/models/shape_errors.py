"""A network, inputs and the error they ended in -> one readable error: which layer, what it got, what it expected."""

import contextlib
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from ursa.errors import TrainingError, first_line
from ursa.models.trace import as_inputs, hooked, tensors, undisturbed

CHANNELS = {1: "L", 2: "H, W", 3: "D, H, W"}  # what comes after [N, C, by the dimensions of a convolution
LINE = 300  # characters of torch's own words, which name shapes
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)


def explain(model: nn.Module, inputs: Sequence[Any], error: Exception) -> TrainingError:
    """Run the network again to see where it fails. `raise explain(model, (pictures,), error) from error`.

    The network is left as it was. Where the error does not come again, it stands in the text as it was.
    """
    if isinstance(error, TrainingError):
        return error
    stack: list[tuple[nn.Module, list[Tensor]]] = []
    last: list[tuple[nn.Module, list[Tensor]]] = []

    def enter(module: nn.Module, given: Any, named: Any) -> None:
        stack.append((module, tensors((given, named))))

    def leave(module: nn.Module, _: Any, __: Any, result: Any) -> None:
        stack.pop()
        last[:] = [(module, tensors(result))]

    names = {module: name for name, module in model.named_modules()}
    # The error of this second run is the one that is being explained already.
    with contextlib.suppress(Exception), undisturbed(model, evaluate=False), hooked(names, enter, leave):
        model(*as_inputs(model, inputs))
    if not stack:
        return TrainingError(f"{type(model).__name__} failed on a batch", found=first_line(error, LINE))
    module, given = stack[-1]
    return _told(module, names[module], given, error, [(names[m], made) for m, made in last])


def _told(
    module: nn.Module, name: str, given: list[Tensor], error: Exception, last: list[tuple[str, list[Tensor]]]
) -> TrainingError:
    kind = type(module).__name__
    place = f"the layer {name} ({kind})" if name else f"the network ({kind})"
    got = ", ".join(f"{list(tensor.shape)} {_type(tensor)}" for tensor in given) or "no tensor"
    expected, fix = _expected(module, given[0]) if given else (None, None)
    if expected is not None:
        return TrainingError(f"the input does not fit {place}", found=f"got {got}; expected {expected}", fix=fix)
    before = f"; last to work: {last[0][0] or 'the network'}, which gave {_shapes(last[0][1])}" if last else ""
    return TrainingError(
        f"{place} cannot compute its output",
        found=f"{first_line(error, LINE)}; got {got}{before}",
        fix="look at the shapes in its forward, with ursa.models.model_summary on its parts",
    )


def _expected(module: nn.Module, given: Tensor) -> tuple[str | None, str | None]:
    """What the layer takes and a way to mend it; None where the input is no different from that."""
    shape, size = list(given.shape), given.shape[-1] if given.ndim else 0
    weight = getattr(module, "weight", None)
    if isinstance(module, nn.Linear) and size != module.in_features:
        wanted = f"[..., {module.in_features}]"
        return wanted, f"let the layer before it give {module.in_features} numbers, or this one take {size}"
    if isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d):
        window = weight.ndim - 2 if isinstance(weight, Tensor) else 2
        wanted = f"[N, {module.in_channels}, {CHANNELS[window]}]"
        if given.ndim != window + 2 or shape[1] != module.in_channels:
            return wanted, _channels(given, module.in_channels, window)
    if isinstance(module, NORMS):
        window = next((n for n in CHANNELS if type(module).__name__.endswith(f"{n}d")), 2)
        fits = (2, 3) if isinstance(module, nn.BatchNorm1d) else (window + 2,)
        wanted = f"[N, {module.num_features}]" if fits == (2, 3) else f"[N, {module.num_features}, {CHANNELS[window]}]"
        if given.ndim not in fits:
            return wanted, _channels(given, module.num_features, window)
        if shape[1] != module.num_features:
            return wanted, f"make this norm for {shape[1]} channels"
        if module.training and given.numel() // max(1, shape[1]) <= 1:
            return "more than one value a channel while training", "use batches of 2 or more; leave out the last one"
    if isinstance(module, nn.LayerNorm) and shape[-len(module.normalized_shape) :] != list(module.normalized_shape):
        return f"[..., {', '.join(map(str, module.normalized_shape))}]", f"make this norm for {size} numbers"
    if isinstance(module, nn.Embedding):
        return f"whole numbers from 0 to {module.num_embeddings - 1}", "number the categories from 0"
    if isinstance(weight, Tensor) and given.dtype != weight.dtype:
        return _type(weight), f"turn the input into {_type(weight)}: inputs.to(torch.{_type(weight)})"
    if isinstance(weight, Tensor) and given.device != weight.device:
        return f"a tensor on {weight.device}", f"move it there: inputs.to({str(weight.device)!r})"
    return None, None


def _channels(given: Tensor, channels: int, window: int) -> str:
    """How pictures come to have the wrong shape, mostly."""
    if given.ndim == window + 1 and channels == 1:
        return "add the channel: inputs[:, None]"
    if given.ndim == window + 1:
        return "give a batch, not one example: inputs[None]"
    if given.ndim == window + 2 and given.shape[-1] == channels:
        return "put the channels second: inputs.movedim(-1, 1)"
    return (
        f"let the layer before it give {channels} channels, or this one take {given.shape[1] if given.ndim > 1 else 1}"
    )


def _type(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _shapes(made: list[Tensor]) -> str:
    return ", ".join(str(list(tensor.shape)) for tensor in made) or "no tensor"
