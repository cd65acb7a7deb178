"""A backbone's name -> smaller and larger ones of its family whose weights are on this machine."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from ursa.embed.backbone import WITHOUT_WEIGHTS

TORCHVISION = "torchvision:"
SIZES = (
    *("atto", "femto", "pico", "nano", "tiny", "small", "medium", "base", "large", "xlarge", "huge", "giant"),
    *("n", "t", "s", "m", "b", "l", "xs", "xl", "xxl"),
)


def relatives(name: str) -> list[str]:
    """Names of the same family, such as resnet18 and resnet50 beside resnet34, that need no download; without `name`.

    Of timm's, which has several sets of weights for an architecture, only those with the same tag count.
    """
    if name in WITHOUT_WEIGHTS:
        return []
    names, cached = _torchvision() if name.startswith(TORCHVISION) else _timm()
    family = stem(name)
    return [other for other in names if other != name and stem(other) == family and cached(other)]


def stem(name: str) -> str:
    """A name without what tells sizes apart: resnet34.a1_in1k -> resnet.a1_in1k. Versions such as v2 stay."""
    library, colon, rest = name.rpartition(":")
    architecture, dot, tag = rest.partition(".")
    words = [re.sub(r"(?<!v)\d+", "", word) for word in architecture.split("_") if word not in SIZES]
    return library + colon + "_".join(word for word in words if word) + dot + tag


def _torchvision() -> tuple[Iterable[str], Callable[[str], bool]]:
    import torch
    import torchvision

    folder = Path(torch.hub.get_dir()) / "checkpoints"

    def cached(name: str) -> bool:
        weights = torchvision.models.get_model_weights(name.removeprefix(TORCHVISION)).DEFAULT
        return (folder / Path(weights.url).name).is_file()

    return [f"{TORCHVISION}{name}" for name in torchvision.models.list_models(module=torchvision.models)], cached


def _timm() -> tuple[Iterable[str], Callable[[str], bool]]:
    import huggingface_hub as hub
    import timm

    def cached(name: str) -> bool:
        place = str(getattr(timm.get_pretrained_cfg(name), "hf_hub_id", None) or "")
        files = ("model.safetensors", "pytorch_model.bin")
        return bool(place) and any(isinstance(hub.try_to_load_from_cache(place, file), str) for file in files)

    return timm.list_pretrained(), cached
