"""A loss that is no number any more -> where it came from, as an error that says what to do."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ursa.core import seeds
from ursa.errors import TrainingError
from ursa.recipe import Recipe
from ursa.training.batches.batch import Batch, Batches, tensors
from ursa.training.history import Best, History
from ursa.training.loop import Gradient, State, Step
from ursa.training.randomness import drawing
from ursa.training.tasks.losses import Loss

SMOOTH = 0.9  # of the running mean of the losses in which the lowest point is looked for


def diverged(
    bad: Step,
    state: State,
    batches: Batches,
    recipe: Recipe,
    loss: Loss,
    gradient: Gradient,
    history: History,
    best: Best,
) -> TrainingError:
    """bad: the first step whose loss, or whose weights afterwards, are not finite. The model gets the best weights.

    The batches of that step and the one before are made again and looked at: their numbers, then loss and gradient with
    the best weights. Where all are finite, the weights had run away, so the rate was too high.
    """
    state.model.load_state_dict(best.weights)
    cause = _of_start(best)
    for number in (bad.number, bad.number - 1):  # a gradient spoils the step after its own
        if cause is None and number:
            epoch, first = divmod(number - 1, len(batches))
            batch = next(iter(batches.epoch(epoch, first)))
            cause = _of_numbers(batch) or _of_loss(batch, number, state, recipe, loss, gradient, best)
    reason, fix = cause or _of_rate(bad, history)
    kept = f"epoch {best.epoch}" if best.epoch else "before the first step"
    return TrainingError(
        "training diverged: the loss or the weights are no numbers any more",
        found=f"step {bad.number} of {bad.of}, epoch {bad.epoch + 1}: {reason}. The weights from {kept} are kept",
        fix=fix,
    )


def finite(some: Sequence[Tensor]) -> bool:
    """Whether all numbers are; reads from the device once."""
    floats = [tensor.detach() for tensor in some if tensor.is_floating_point() and tensor.numel()]
    return not floats or bool(torch.stack([tensor.isfinite().all() for tensor in floats]).all())


def _of_numbers(batch: Batch) -> tuple[str, str] | None:
    for what, some in (("inputs", list(batch.inputs)), ("targets", tensors(batch.targets))):
        floats = [tensor for tensor in some if tensor.is_floating_point()]
        whole = [tensor.isfinite().reshape(len(tensor), -1).all(1).cpu() for tensor in floats]
        rows = ~torch.stack(whole).all(0) if whole else torch.zeros(0)
        if rows.any():
            first = int(rows.nonzero()[0])
            which = f", such as {batch.ids[first]}" if batch.ids else f", such as number {first} of the batch"
            return (
                f"{int(rows.sum())} of the batch's {len(batch)} {what} hold NaN or infinity{which}",
                f"leave these examples out, or fill in what is missing in their {what}",
            )
    return None


def _of_start(best: Best) -> tuple[str, str] | None:
    bad = [name for name, weight in best.weights.items() if not finite([weight])]
    if not bad or best.epoch:
        return None
    return (
        f"the model's weights are no numbers from the start, first {bad[0]}",
        "load or initialise the model again",
    )


def _of_loss(
    batch: Batch, number: int, state: State, recipe: Recipe, loss: Loss, gradient: Gradient, best: Best
) -> tuple[str, str] | None:
    """With good weights, is the batch's loss finite? And its gradient?"""
    state.model.train()
    state.optimizer.zero_grad()
    with drawing(seeds.number(recipe.seed, "steps"), number - 1):
        value = gradient(state, batch, loss)
    weights = [weight for group in state.optimizer.param_groups for weight in group["params"]]
    which = None if finite([value]) else "loss"
    if state.scaler is None and not finite([weight.grad for weight in weights if weight.grad is not None]):
        which = which or "gradient"
    state.optimizer.zero_grad()
    state.model.load_state_dict(best.weights)  # again, as norms have counted the batch
    if which is None:
        return None
    if state.scaler is not None:
        return "float16 overflows here with good weights too; it ends at 65,504", "train in bfloat16 or float32"
    return (
        f"the {which} of step {number}'s batch is not finite with good weights either",
        "look at the loss and the model for log(0), a division by 0 or a root of 0; a small eps helps",
    )


def _of_rate(bad: Step, history: History) -> tuple[str, str]:
    """Smoothed, the loss was lowest somewhere: from the rate there on it rose."""
    steps = [step for step in history.steps if step["step"] < bad.number]
    mean, smooth = steps[0]["loss"] if steps else 0.0, []
    for step in steps:
        mean = SMOOTH * mean + (1 - SMOOTH) * step["loss"]
        smooth.append(mean)
    lowest = steps[smooth.index(min(smooth))] if steps else None
    if lowest is None or lowest["lr"] >= 0.9 * bad.lr:
        reason, lr = f"the learning rate, {bad.lr:.2g}, is too high", bad.lr / 10
    else:
        reason = (
            f"the loss rose from step {lowest['step']} on, where the learning rate was {lowest['lr']:.2g}; "
            f"it is {bad.lr:.2g} now"
        )
        lr = lowest["lr"] / 3
    return reason, (
        f"a largest rate of about {lr:.1g}: head_lr and body_lr of the recipe, or what the optimizer was made with"
    )
