"""Gradual unfreezing: the head first, then layer group by layer group from the top (Howard and Ruder 2018, ULMFiT)."""

from collections.abc import Sequence

from torch import Tensor, nn

from ursa.training.batches.batch import Batch
from ursa.training.loop import Gradient, State
from ursa.training.tasks.losses import Loss


def gradual_unfreezing(gradient: Gradient, groups: Sequence[Sequence[nn.Parameter]], steps: float) -> Gradient:
    """The same gradient, of those groups alone that take part yet.

    groups: the first layers first, the head last; at step 0 only the head learns, after `steps` steps all do. What is
    frozen gets no gradient, so a step is cheaper, and optimisers leave it as it is. A function of the state's step: a
    resumed run needs no replay.
    """

    def unfrozen(state: State, batch: Batch, loss: Loss) -> Tensor:
        for depth, weights in enumerate(reversed(groups)):  # 0: the head
            learns = state.step * (len(groups) - 1) >= depth * steps
            for weight in weights:
                weight.requires_grad_(learns)
        return gradient(state, batch, loss)

    return unfrozen if steps else gradient
