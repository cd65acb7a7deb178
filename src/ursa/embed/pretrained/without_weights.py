"""Backbones that need no weights, and what is said where those of another one cannot be had."""

from ursa.errors import TrainingError

WITHOUT_WEIGHTS = ("pixels", "small_cnn")  # for simple pictures: all of them is in this library


class NoWeightsError(TrainingError):
    """The weights of a backbone are neither on this machine nor to be fetched."""
