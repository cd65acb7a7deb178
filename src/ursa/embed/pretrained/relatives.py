"""A backbone's name -> smaller and larger ones of its family whose weights are on this machine."""

import re
from pathlib import Path

from ursa.embed.pretrained.known_backbones import table
from ursa.embed.pretrained.without_weights import WITHOUT_WEIGHTS

TORCHVISION = "torchvision:"
SIZES = (
    *("atto", "femto", "pico", "nano", "tiny", "small", "medium", "base", "large", "xlarge", "huge", "giant"),
    *("n", "t", "s", "m", "b", "l", "xs", "xl", "xxl"),
)


def relatives(name: str) -> list[str]:
    """Names of the same family, such as resnet18 and resnet50 beside resnet34, that need no download; without `name`.

    Of timm's, which has several sets of weights for an architecture, only those with the same tag count; beside a
    backbone of our table those of the table, too, whose tags differ but which were measured.
    """
    if name in WITHOUT_WEIGHTS:
        return []
    names = _names_of_torchvision() if name.startswith(TORCHVISION) else _names_of_timm()
    known = {one.name for one in table()}

    def related(other: str) -> bool:
        both_known = name in known and other in known
        return stem(other) == stem(name) or (both_known and _architecture(other) == _architecture(name))

    return [other for other in names if other != name and related(other) and at_hand(other)]


def at_hand(name: str) -> bool:
    """Whether its weights are on this machine, or it needs none."""
    if name in WITHOUT_WEIGHTS:
        return True
    return _cached_by_torch(name) if name.startswith(TORCHVISION) else _cached_by_the_hub(name)


def stem(name: str) -> str:
    """A name without what tells sizes apart: resnet34.a1_in1k -> resnet.a1_in1k. Versions such as v2 stay."""
    library, colon, rest = name.rpartition(":")
    architecture, dot, tag = rest.partition(".")
    words = [re.sub(r"(?<!v)\d+", "", word) for word in architecture.split("_") if word not in SIZES]
    return library + colon + "_".join(word for word in words if word) + dot + tag


def _architecture(name: str) -> str:
    return stem(name.partition(".")[0])


def _names_of_torchvision() -> list[str]:
    import torchvision

    return [f"{TORCHVISION}{name}" for name in torchvision.models.list_models(module=torchvision.models)]


def _names_of_timm() -> list[str]:
    import timm

    return [str(name) for name in timm.list_pretrained()]


def _cached_by_torch(name: str) -> bool:
    import torch
    import torchvision

    weights = torchvision.models.get_model_weights(name.removeprefix(TORCHVISION)).DEFAULT
    return (Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name).is_file()


def _cached_by_the_hub(name: str) -> bool:
    import timm

    repository = str(getattr(timm.get_pretrained_cfg(name), "hf_hub_id", None) or "")
    return bool(repository) and hub_file(repository) is not None


def hub_file(repository: str) -> str | None:
    """Where the hub's copy of its weights lies on this machine; None where it was not fetched."""
    import huggingface_hub as hub

    copies = (hub.try_to_load_from_cache(repository, file) for file in ("model.safetensors", "pytorch_model.bin"))
    return next((copy for copy in copies if isinstance(copy, str)), None)
