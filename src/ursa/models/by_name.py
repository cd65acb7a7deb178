"""A name that timm or torchvision knows -> their network, with a head for so many classes and fresh weights."""

from typing import Any

import torch
from torch import nn

from ursa.errors import TrainingError, did_you_mean
from ursa.models.built import count, remembered


def create(name: str, classes: int, *, channels: int = 3, seed: int = 0) -> nn.Module:
    """`create("resnet18", 10)`: a timm network; `create("torchvision:resnet18", 10)`: torchvision's. Fetches nothing.

    For pretrained weights use a backbone. channels: of the pictures; other than 3 only with timm. The seed decides the
    initial weights; torch's random stream is left alone. Raises TrainingError for a name that neither of them knows.
    """
    classes, channels, seed = count("classes", classes), count("channels", channels), count("seed", seed, least=0)
    if not isinstance(name, str):
        raise TrainingError("the name of a network has to be a text", found=repr(name))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        source, separator, inner = name.rpartition(":")
        model = _torchvision(inner, classes, channels) if source == "torchvision" else _timm(name, classes, channels)
    return remembered(
        model, "create", name=f"{source}{separator}{inner}", classes=classes, channels=channels, seed=seed
    )


def _timm(name: str, classes: int, channels: int) -> nn.Module:
    import timm

    # Names with a scheme ("hf-hub:", "local-dir:") would have timm fetch what they point to: none of them is a model.
    if ":" in name or not timm.is_model(name):
        fix = did_you_mean(name, [*timm.list_models(), *(f"torchvision:{other}" for other in _known())])
        raise TrainingError(f"no network is called {name!r}", fix=fix)
    model: nn.Module = timm.create_model(name.split(".")[0], pretrained=False, num_classes=classes, in_chans=channels)
    return model


def _torchvision(name: str, classes: int, channels: int) -> nn.Module:
    import torchvision

    if name not in _known():
        fix = did_you_mean(f"torchvision:{name}", [f"torchvision:{other}" for other in _known()])
        raise TrainingError(f"torchvision has no classifier called {name!r}", fix=fix)
    if channels != 3:
        raise TrainingError(
            "torchvision's networks take pictures of 3 channels",
            found=f"channels={channels}",
            fix="use the same network under its timm name",
        )
    extra: dict[str, Any] = {"num_classes": classes}
    if name in ("googlenet", "inception_v3"):
        extra |= {"aux_logits": False, "init_weights": True}
    model: nn.Module = torchvision.models.get_model(name, weights=None, **extra)
    return model


def _known() -> list[str]:
    import torchvision

    return list(torchvision.models.list_models(module=torchvision.models))
