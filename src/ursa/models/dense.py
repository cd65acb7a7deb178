"""Sizes -> fully connected networks from scratch: a perceptron, a linear model, a multilayer perceptron."""

from collections.abc import Sequence

import torch
from torch import nn

from ursa.errors import TrainingError, did_you_mean
from ursa.models.built import count, counts, remembered, share, switch
from ursa.models.init import initialize as draw_weights

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "leaky_relu": nn.LeakyReLU,
    "mish": nn.Mish,
    "relu": nn.ReLU,
    "sigmoid": nn.Sigmoid,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
}


def mlp(
    features: int,
    classes: int | None,
    *,
    hidden: int | Sequence[int] = (128,),
    dropout: float = 0.0,
    activation: str = "relu",
    norm: bool = False,
    initialize: str | None = None,
    seed: int = 0,
) -> nn.Sequential:
    """A multilayer perceptron: inputs [N, ...] of `features` numbers each -> logits [N, classes].

    Every hidden layer is linear, batch norm if asked for, activation, dropout (a share of its outputs). For regression
    `classes` is the number of targets; with None the last hidden layer is what comes out, to put other heads on.
    initialise: `"he"`, `"xavier"`, or by activation; torch's random stream is left alone. Raises TrainingError for
    sizes that make no network and for unknown names.
    """
    features, hidden = count("features", features), counts("hidden", hidden)
    classes = classes if classes is None else count("classes", classes)
    dropout, norm, seed = share("dropout", dropout), switch("norm", norm), count("seed", seed, least=0)
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        raise TrainingError(f"no activation is called {activation!r}", fix=did_you_mean(str(activation), ACTIVATIONS))
    if classes is None and not hidden:
        raise TrainingError("a body needs a hidden layer", found="hidden=(), classes=None", fix="give hidden=(128,)")
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in zip((features, *hidden), hidden, strict=False):
        layers += [
            blank_linear(inputs, outputs),
            *([nn.BatchNorm1d(outputs)] if norm else []),
            ACTIVATIONS[activation](),
        ]
        layers += [nn.Dropout(dropout)] if dropout else []
    if classes is not None:
        layers.append(blank_linear((features, *hidden)[-1], classes))
    model = draw_weights(nn.Sequential(*layers), initialize, seed=seed)
    return remembered(
        model,
        "mlp",
        features=features,
        classes=classes,
        hidden=hidden,
        dropout=dropout,
        activation=activation,
        norm=norm,
        initialize=initialize,
        seed=seed,
    )


def linear(features: int, classes: int, *, seed: int = 0) -> nn.Sequential:
    """One linear layer: inputs [N, ...] of `features` numbers each -> [N, classes].

    With cross-entropy it is logistic regression, with the squared error linear regression.
    """
    features, classes, seed = count("features", features), count("classes", classes), count("seed", seed, least=0)
    model = draw_weights(nn.Sequential(nn.Flatten(), blank_linear(features, classes)), seed=seed)
    return remembered(model, "linear", features=features, classes=classes, seed=seed)


def perceptron(features: int, *, seed: int = 0) -> nn.Sequential:
    """A single linear unit (Rosenblatt 1958): inputs [N, features] -> a score each [N, 1], its sign the class."""
    return linear(features, 1, seed=seed)


def blank_linear(inputs: int, outputs: int) -> nn.Linear:
    """Its weights not yet drawn: `initialise` does that, without touching torch's random stream."""
    layer: nn.Linear = nn.utils.skip_init(nn.Linear, inputs, outputs, device=torch.get_default_device())
    return layer
