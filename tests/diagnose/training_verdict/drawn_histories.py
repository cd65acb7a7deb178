"""Histories drawn by hand, one for each verdict: ten classes, 500 validation examples, 20 steps an epoch."""

import math

import numpy as np

GUESSING = math.log(10)
KNOWN = {"classes": 10, "valid_count": 500, "largest_class": 0.1, "predicted_share": 0.12, "response": 0.3}


def curves(kind):
    """(epochs, loss by step, validation loss and accuracy by epoch, facts), the latter two from epoch 0 on."""
    epochs = {"too-few-epochs": 3, "overfitting": 20}.get(kind, 10)
    done = np.arange(epochs + 1)
    steps = np.arange(20 * epochs)
    falling, settled = 0.05 + 2.25 * np.exp(-steps / 12), 0.2 + 2.1 * np.exp(-done / 0.6)
    accuracy = 0.1 + 0.84 * (1 - np.exp(-done / 0.6))
    if kind == "lr-too-high":
        return epochs, GUESSING + 40 * (steps > 5) * np.exp(-(((steps - 20) / 30) ** 2)), settled + 4, accuracy, {}
    if kind == "lr-too-low":
        return epochs, GUESSING - 0.001 * steps, GUESSING - 0.02 * done, 0.1 + 0.005 * done, {}
    if kind == "too-few-epochs":
        return epochs, 0.2 + 2.1 * np.exp(-steps / 15), 2.3 * np.exp(-done / 1.5), 0.1 + 0.2 * done, {}
    if kind == "overfitting":
        return epochs, falling, settled + 0.05 * done, accuracy - 0.008 * done, {}
    if kind == "predicts-one-class":
        return epochs, falling, GUESSING + 0.3 * done, np.full(epochs + 1, 0.1), {"predicted_share": 1.0}
    if kind == "dead-network":
        flat = np.full(epochs + 1, GUESSING)
        return (
            epochs,
            np.full(len(steps), GUESSING),
            flat,
            np.full(epochs + 1, 0.1),
            {"response": 0.0, "dead_units": 1.0},
        )
    if kind == "no-better-than-chance":
        return epochs, falling, GUESSING + 0.2 * done, 0.1 + 0.005 * (-1) ** done, {}
    return epochs, falling, settled, accuracy, {}


def records_of(kind):
    """(epochs, steps) in Ursa's own form, and what is known beside them."""
    epochs, losses, valid, accuracy, facts = curves(kind)
    by_epoch = losses.reshape(epochs, -1).mean(1)
    records = [{"epoch": 0, "valid_loss": GUESSING, "accuracy": 0.1}] + [
        {"epoch": e, "train_loss": by_epoch[e - 1], "valid_loss": float(valid[e]), "accuracy": float(accuracy[e])}
        for e in range(1, epochs + 1)
    ]
    steps = [{"step": i + 1, "epoch": i // 20, "loss": float(loss), "lr": 0.01} for i, loss in enumerate(losses)]
    return records, steps, KNOWN | facts
