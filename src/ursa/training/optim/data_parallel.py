"""Loss and gradient of a batch on all cores of a CPU, each of which takes some of its examples.

Each core goes forward and backward by itself and waits for nobody until its gradient is done; gradients are added in
the order of the examples, so the result does not depend on which core was first. For small networks on pictures that is
up to 1.2 times as fast as all cores on one operation after the other, for larger ones as fast (docs/benchmarks.md), and
it is not slowed down when another program takes a core for a while.
"""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor, nn

from ursa.core.threads import cores
from ursa.training.batches.batch import Batch
from ursa.training.loop import Gradient, State, accumulated, outputs
from ursa.training.tasks.losses import Loss

# Pictures that a core takes at a time: few, so that what is computed of them stays in its cache; more where the network
# is large, since each part's gradient has the size of the network (docs/benchmarks.md, gradients on a CPU), and where
# pictures are small, of which a few are hardly worth a call (measured at 64 px: 8 take 0.76 of the time of 4).
SIZE, SIZE_OF_LARGE, LARGE = 4, 8, 3_000_000  # weights
SMALL = 64  # pixels a side


@contextlib.contextmanager
def data_parallel_cpu(precision: torch.dtype = torch.float32, size: int = 0) -> Iterator[Gradient]:
    """A gradient for `train`, with threads that end with the block. size: examples at a time; 0: by the network's size.

    The model must treat each example by itself: batch norm has to keep its statistics, as `Classifier`'s does. A model
    that draws random numbers, as dropout does, is computed by `accumulated` instead: threads would draw in any order.
    """
    drew = False
    threads = torch.get_num_threads()
    with ThreadPoolExecutor(cores(), "gradient", initializer=torch.set_num_threads, initargs=(1,)) as pool:

        def gradient(state: State, batch: Batch, loss: Loss) -> Tensor:
            nonlocal drew
            some = size or size_for(state.model, batch)
            alone = accumulated(some, precision)
            if drew or state.scaler is not None:
                return alone(state, batch, loss)
            weights = [p for p in state.model.parameters() if p.requires_grad]

            def work(part: Batch) -> tuple[Tensor, tuple[Tensor | None, ...]]:
                said = outputs(state.model, part.inputs, precision)
                value = loss(said, part.targets) * (len(part) / len(batch))
                return value.detach(), torch.autograd.grad(value, weights, allow_unused=True)

            before = torch.default_generator.get_state()
            done = list(pool.map(work, batch.parts(some)))
            if not torch.equal(before, torch.default_generator.get_state()):
                drew = True
                torch.default_generator.set_state(before)
                return alone(state, batch, loss)
            for weight, *parts in zip(weights, *(gradients for _, gradients in done), strict=True):
                weight.grad = _total([part for part in parts if part is not None])
            return torch.stack([value for value, _ in done]).sum()

        yield gradient
    torch.set_num_threads(threads)  # for threads made from now on; this one kept its number


def gradients(
    device: str | torch.device, precision: torch.dtype, size: int = 0
) -> contextlib.AbstractContextManager[Gradient]:
    """Of a pretrained network: on a CPU every core takes some pictures; an accelerator all, or `size` at a time."""
    if torch.device(device).type == "cpu":
        return data_parallel_cpu(precision, size)
    return contextlib.nullcontext(accumulated(size, precision))


def size_for(model: nn.Module, batch: Batch) -> int:
    """Examples that a core takes at a time. Of pictures the second axis is a side, whatever their layout."""
    small = batch.inputs[0].ndim == 4 and batch.inputs[0].shape[2] <= SMALL
    return SIZE_OF_LARGE if small or sum(p.numel() for p in model.parameters()) > LARGE else SIZE


def _total(parts: list[Tensor]) -> Tensor | None:
    if not parts:
        return None
    total = parts[0]
    for part in parts[1:]:
        total += part  # in order: floating-point sums depend on it
    return total
