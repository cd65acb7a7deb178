"""A backbone -> the settings that are usual with it instead of a recipe's defaults; what is given by the user wins."""

from typing import Any

# Of one that learns from random weights: there is nothing in it that large learning rates or many epochs could spoil.
# Simple pictures are told apart by small differences, so they are hardly cropped and, as digits and letters, not
# mirrored. Where they are magnified, gray beyond them reaches into the view: even with all changes off the probe of
# `pixels` then has 96.2 instead of 99.1 % of digits right (measured: docs/decisions.md).
BY_BACKBONE: dict[str, dict[str, Any]] = {
    "small_cnn": {
        "optim.epochs": 20,
        "optim.head_lr": 1e-3,
        "optim.body_lr": 3e-3,
        "optim.layer_decay": 1.0,
        "optim.label_smoothing": 0.0,
        "augment.hflip": 0.0,
        "augment.min_scale": 0.85,
        "augment.rotate": 10.0,
        "augment.padding_mode": "reflect",
    }
}
