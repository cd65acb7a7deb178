"""What people of fastai, Lightning or scikit-learn type -> the way to do it here. Words only; nothing is done."""

from collections.abc import Iterable, Mapping
from typing import Any

from ursa.errors import TrainingError, did_you_mean

KEYWORDS = {
    "lr_max": "lr=..., the largest learning rate",
    "max_lr": "lr=..., the largest learning rate",
    "base_lr": "lr=..., the largest learning rate",
    "learning_rate": "lr=..., the largest learning rate",
    "n_epoch": "epochs=...",
    "max_epochs": "epochs=...",
    "freeze_epochs": "frozen_epochs=...",
    "cbs": "observers=[...]; checkpoints=, patience= and stop= are arguments of fit",
    "callbacks": "observers=[...]; checkpoints=, patience= and stop= are arguments of fit",
    "moms": "optimizer=functools.partial(torch.optim.SGD, momentum=...) of Learner",
    "wd": 'recipe={"weight_decay": ...} of Learner',
    "weight_decay": 'recipe={"weight_decay": ...} of Learner',
    "pct_start": 'recipe={"warmup": ...} of Learner',
    "warmup": 'recipe={"warmup": ...} of Learner',
    "div": "fit(epochs, lr, schedule=schedules.one_cycle(...)), where start, end and warm-up are set",
    "div_final": "fit(epochs, lr, schedule=schedules.one_cycle(...)), where start, end and warm-up are set",
    "lr_mult": 'recipe={"layer_decay": ...} of Learner',
    "reset_opt": "nothing to reset: every fit begins with a fresh optimizer",
    "batch_size": 'recipe={"batch_size": ...} of Learner',
    "bs": 'recipe={"batch_size": ...} of Learner',
    "num_it": "steps=...",
    "start_lr": "low=...",
    "end_lr": "high=...",
    "stop_div": "nothing: the test ends where the loss diverges",
    "suggest_funcs": "nothing: the suggestion has a spread, and confirm=True tries it",
    "loss_func": "loss=...",
    "criterion": "loss=...",
    "opt_func": "optimizer=...",
    "opt": "optimizer=...",
    "arch": "model=..., a network or a backbone's name",
    "model_dir": "checkpoints=... of fit",
    "path": "checkpoints=... of fit",
    "item_tfms": 'size=..., and recipe={"min_scale": ..., "rotate": ...}',
    "batch_tfms": 'recipe={"hflip": ..., "rotate": ..., "brightness": ...}',
    "valid_pct": 'recipe={"valid": ...}',
    "dls": "data, the first argument: arrays, data sets, or a folder of pictures",
    "epochs": "fit(epochs)",
    "lr": "fit(epochs, lr)",
    "options": "keywords of their own: weights=, workspace=, pattern=, table=, seed=, device=",
    "validation_data": "((x, y), (x_valid, y_valid)) as the data of Learner",
    "verbose": "progress=... of Learner",
}

ATTRIBUTES = {
    "validate": "evaluate(), whose values have intervals",
    "score": "evaluate()",
    "get_preds": 'predictions("valid"), or predict(x)',
    "predict_proba": "predict(x).probabilities",
    "tta": 'recipe={"tta": 2} of Learner, for pictures',
    "recorder": "history; plot_history() draws it",
    "dls": "data, with its splits train and valid",
    "dataloaders": "data, with its splits train and valid",
    "given": "data, with its splits train and valid",
    "loss_func": "loss",
    "criterion": "loss",
    "opt_func": "optimizer",
    "opt": "optimizer; each fit makes its own",
    "cbs": "observers=[...] of fit",
    "add_cb": "observers=[...] of fit",
    "add_cbs": "observers=[...] of fit",
    "to_fp16": 'Learner(..., precision="fp16")',
    "to_native_fp16": 'Learner(..., precision="fp16")',
    "to_bf16": 'Learner(..., precision="bf16")',
    "to_fp32": 'Learner(..., precision="fp32")',
    "fit_flat_cos": "fit(epochs, lr, schedule=schedules.sequential([(0.75, schedules.constant()), ...]))",
    "fit_sgdr": 'fit(epochs, lr, schedule="warm_restarts")',
    "interpret": "confusion(), top_losses() and show_results()",
    "plot_confusion_matrix": "confusion()",
    "plot_top_losses": "top_losses()",
    "plot_loss": "plot_history()",
    "most_confused": "confusion().most_confused()",
    "load_model": "load(path)",
    "save_model": "save(path)",
    "no_bar": "Learner(..., progress=False)",
    "pictures": "data, model and backbone",
}


def refuse_unknown(function: str, unknown: Mapping[str, Any], known: Iterable[str]) -> None:
    """Raises TrainingError for arguments that a function has not, with what they are called here."""
    known = [*known]
    for name in (each for each in unknown if each not in known):
        fix = f"here: {KEYWORDS[name]}" if name in KEYWORDS else did_you_mean(name, known)
        raise TrainingError(f"{function} has no argument {name!r}", found=f"{name}={unknown[name]!r}"[:80], fix=fix)


def no_attribute(kind: str, name: str, known: Iterable[str]) -> AttributeError:
    """The error for an attribute that there is not, with what it is called here."""
    hint = f"here: {ATTRIBUTES[name]}" if name in ATTRIBUTES else did_you_mean(name, [*known])
    return AttributeError(f"a {kind} has no attribute {name!r}; {hint}")
