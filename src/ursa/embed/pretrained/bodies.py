"""timm and torchvision models -> bodies: networks without their heads, with weights from the hub or from a file."""

import contextlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ursa.embed.extractor import OrientedGradients, small_convolutions
from ursa.embed.pretrained import relatives
from ursa.embed.pretrained.without_weights import WITHOUT_WEIGHTS, NoWeightsError
from ursa.embed.tensor_bytes import from_file
from ursa.errors import TrainingError, did_you_mean, first_line

Color = tuple[float, ...]
Body = tuple[nn.Module, Color, Color, int]  # body, mean, std, picture size

HALF: Color = (0.5, 0.5, 0.5)
IMAGENET_MEAN: Color = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION: Color = (0.229, 0.224, 0.225)

# Pixels to take, by tag, where timm has the size of a last, short phase of pretraining: five times as many patches.
# DINOv2 (Oquab et al. 2023) was trained at 224 px before its last 10,000 steps at 518, and is judged at 224.
SIZES = {"lvd142m": 224}

HEADS = ("classifier", "fc", "head", "heads", "last_linear")  # what timm and torchvision call the part we replace
AUXILIARY = ("aux1", "aux2", "AuxLogits")  # further heads that only training had a use for


class TimmBody(nn.Module):
    """A timm model without its classifier: the feature map where it has one, else the pooled vector."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model: Any = model
        self.has_map = False

    def forward(self, pictures: Tensor) -> Tensor:
        """pictures [N, 3, S, S] -> [N, C, h, w] or [N, C]."""
        maps: Tensor = self.model.forward_features(pictures)
        return maps if self.has_map else self.model.forward_head(maps, pre_logits=True)


def of_pixels() -> Body:
    """Features that were written down, not learned."""
    return OrientedGradients(), HALF, HALF, 64


def of_small_cnn() -> Body:
    """A small network with random weights, which training makes good ones."""
    return small_convolutions(), HALF, HALF, 64


def of_timm(name: str, weights: Path | None, *, pretrained: bool = True) -> Body:
    """A body by its timm name, with the colors and the picture size it was trained with."""
    import timm
    from timm.data.config import resolve_data_config

    require_known(name)
    model: Any
    if weights is not None:
        model = timm.create_model(name, pretrained=False)
        _fill(model, weights, name)
    elif not pretrained:
        model = timm.create_model(name, pretrained=False)
    else:
        _needs_pretrained(name, timm.get_pretrained_cfg(name))
        model = _from_hub(name, lambda: timm.create_model(name, pretrained=True, pretrained_cfg_overlay=_cached(name)))
    config = resolve_data_config({}, model=model)
    size = int(config["input_size"][-1])
    if name.partition(".")[2] in SIZES:
        size = SIZES[name.partition(".")[2]]
        model.set_input_size(img_size=(size, size))  # resamples the position embeddings
    model.eval().reset_classifier(0)
    body = TimmBody(model)
    body.has_map = _ends_in_a_map(model, size)
    return body, tuple(config["mean"]), tuple(config["std"]), size


def _ends_in_a_map(model: Any, size: int) -> bool:
    """Whether what is classified is a feature map, pooled and perhaps normalized.

    Some heads hold layers of their own before the classifier (MobileNetV3, HGNetV2): what comes out of those is used
    instead of the map.
    """
    layers = [module for module in model.modules() if any(p.ndim >= 2 for p in module.parameters(recurse=False))]
    used: list[nn.Module] = []
    with torch.inference_mode():
        maps = model.forward_features(torch.zeros(1, 3, size, size))
        hooks = [layer.register_forward_pre_hook(lambda module, _: used.append(module)) for layer in layers]
        model.forward_head(maps, pre_logits=True)
    for hook in hooks:
        hook.remove()
    return maps.ndim == 4 and maps.shape[1] == model.num_features and not used


def of_torchvision(name: str, weights: Path | None, *, pretrained: bool = True) -> Body:
    """A body by its torchvision name; nearly all were trained with ImageNet's colors, most at 224 pixels."""
    import torchvision

    require_known(f"torchvision:{name}")
    extra = {"aux_logits": False, "init_weights": False} if name in ("googlenet", "inception_v3") else {}
    if weights is not None or not pretrained:
        model = torchvision.models.get_model(name, weights=None, **extra)
        if weights is not None:
            _fill(model, weights, f"torchvision:{name}")
    else:
        label = f"torchvision:{name}"
        model = _from_hub(label, lambda: torchvision.models.get_model(name, weights="DEFAULT"))
    body, size = _without_head(model.eval()), 299 if name == "inception_v3" else 224
    if name in ("googlenet", "inception_v3"):  # ported from another library: within, torchvision goes back to these
        return body, HALF, HALF, size
    return body, IMAGENET_MEAN, IMAGENET_DEVIATION, size


def require_known(name: str) -> None:
    """Raises TrainingError for a name that neither timm nor torchvision has, with the nearest one."""
    if name in WITHOUT_WEIGHTS:
        return
    if name.startswith("torchvision:"):
        import torchvision

        known = [f"torchvision:{other}" for other in torchvision.models.list_models(module=torchvision.models)]
        if name not in known:
            plain = name.removeprefix("torchvision:")
            raise TrainingError(f"torchvision has no classifier called {plain!r}", fix=did_you_mean(name, known))
        return
    import timm

    if not timm.is_model(name) or not _tag_exists(name):
        known = [*WITHOUT_WEIGHTS, *timm.list_models(), *_tagged(name)]
        raise TrainingError(f"no backbone is called {name!r}", fix=did_you_mean(name, known))


def license_of(name: str) -> str | None:
    """Of the weights that go by this name, as timm calls it: "apache-2.0", "cc-by-nc-4.0"; None where it says none."""
    if name in WITHOUT_WEIGHTS or name.startswith("torchvision:"):
        return None
    import timm

    said = getattr(timm.get_pretrained_cfg(name), "license", None)
    return None if said is None else str(said)


def read_state(weights: Path) -> dict[str, Tensor]:
    """A safetensors file, or a state dict saved by torch (read without running anything in it) -> name -> tensor.

    Raises TrainingError for a file that is none of these, and for one saved by torch where torch itself is too old to
    read a stranger's file safely.
    """
    if weights.suffix != ".safetensors":
        return _pickled(weights)
    try:
        return from_file(weights)
    except Exception as problem:  # the reader raises many kinds of errors on a file that is none of its own
        raise TrainingError(
            f"cannot read weights from {weights}", found=first_line(problem), fix=f"fetch it again, or name {_STATE}"
        ) from problem


SAFE_PICKLES = (2, 10)  # of torch: before it, a file could run code in spite of weights_only (CVE-2026-24747)
_STATE = "a .safetensors file, or a state dict saved with torch.save(model.state_dict(), file)"


def _pickled(weights: Path) -> dict[str, Tensor]:
    """A state dict from torch's own format. Its errors are not passed on, as they advise to read without the guard."""
    if release(torch.__version__) < SAFE_PICKLES:
        raise TrainingError(
            f"{weights} is a pickle, which torch {torch.__version__} cannot read safely (CVE-2026-24747)",
            found="a file of torch.save",
            fix="convert it to .safetensors where you trust it, or update torch to 2.10 or later",
        )
    try:
        state = torch.load(weights, map_location="cpu", weights_only=True)
    except Exception as problem:  # the reader raises many kinds of errors on a file that is none of its own
        raise TrainingError(
            f"cannot read weights from {weights}",
            found="no state dict of torch: it is damaged, or holds other things than tensors",
            fix=f"name {_STATE}",
        ) from problem
    for inner in ("state_dict", "model"):
        if isinstance(state, Mapping) and isinstance(state.get(inner), Mapping):
            state = state[inner]
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise TrainingError(
            f"{weights} holds no state dict", found=type(state).__name__, fix="save model.state_dict(), not the model"
        )
    return dict(state)


def release(version: str) -> tuple[int, int]:
    """The first two numbers of a version such as "2.10.0+cpu"."""
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


def _check_values(given: Mapping[str, Tensor], body: list[str], weights: Path) -> None:
    """Raises TrainingError for weights that are whole numbers (quantized), not finite, or all zero."""
    whole = [key for key in body if not given[key].is_floating_point()]
    broken = [key for key in body if key not in whole and not given[key].isfinite().all()]
    if not whole and not broken and any(given[key].any() for key in body):
        return
    kinds = ", ".join(sorted({str(given[key].dtype).removeprefix("torch.") for key in whole}))
    found = (
        f"numbers of type {kinds}, as quantized networks have, in {whole[0]}"
        if whole
        else f"NaN or infinite numbers in {broken[0]}"
        if broken
        else "nothing but zeros"
    )
    raise TrainingError(
        f"the weights in {weights} are of no use", found=found, fix="save or fetch the file anew, in float32 or float16"
    )


def _fill(model: nn.Module, weights: Path, name: str) -> None:
    """Load a file into a whole model; only its head may be missing or of another shape."""
    given, wanted = read_state(weights), model.state_dict()
    body = [key for key in wanted if key.split(".")[0] not in HEADS and not key.endswith("num_batches_tracked")]
    extra = [key for key in given if key not in wanted and key.split(".")[0] not in (*HEADS, *AUXILIARY)]
    missing = [key for key in body if key not in given]
    shapes = [
        f"{key} {list(given[key].shape)} instead of {list(wanted[key].shape)}"
        for key in body
        if key in given and given[key].shape != wanted[key].shape
    ]
    if extra or missing or shapes:
        differences = [
            *([f"missing: {', '.join(missing[:3])}"] if missing else []),
            *([f"not in the network: {', '.join(extra[:3])}"] if extra else []),
            *([f"shapes: {'; '.join(shapes[:3])}"] if shapes else []),
        ]
        raise TrainingError(
            f"the weights in {weights} are not those of {name}",
            found="; ".join(differences),
            fix="name the backbone that they belong to with --backbone, or another file with --weights",
        )
    _check_values(given, [key for key in body if wanted[key].is_floating_point()], weights)
    wanted.update((key, value) for key, value in given.items() if key in wanted and value.shape == wanted[key].shape)
    model.load_state_dict(wanted)  # with the versions of its parts, which a file may lack


def _without_head(model: nn.Module) -> nn.Module:
    """A torchvision classifier -> its feature extractor."""
    children = dict(model.named_children())
    if "features" in children and not {"norm", "permute"} & set(children):
        body = children["features"]
        return nn.Sequential(body, nn.ReLU()) if type(model).__name__ == "DenseNet" else body  # DenseNet ends in a norm
    if "fc" in children:  # ResNet, RegNet, ShuffleNet, GoogLeNet and their kin: feature map, pooling, linear layer
        dropped = ("fc", "avgpool", "dropout", *AUXILIARY)
        return nn.Sequential(*(child for name, child in children.items() if name not in dropped))
    for head in ("heads", "head", "classifier"):  # transformers: pooled within
        if head in children:
            setattr(model, head, nn.Identity())
            return model
    raise TrainingError(
        f"Ursa does not know where the head of {type(model).__name__} is",
        fix="use the same network under its timm name",
    )


def _from_hub(name: str, make: Callable[[], Any]) -> Any:
    try:
        with contextlib.redirect_stdout(sys.stderr):  # torch says there what it downloads; stdout is for results
            return make()
    except (OSError, ConnectionError, RuntimeError) as problem:
        raise _offline(name, problem) from problem


def _offline(name: str, problem: object) -> NoWeightsError:
    return NoWeightsError(
        f"the weights of {name} are not on this machine, and the hub cannot be reached",
        found=first_line(problem),
        fix="copy them here and name the file: --weights FILE; or, for simple pictures, do without: "
        "--backbone small_cnn (a small network from scratch) or --backbone pixels (fixed features)",
    )


def _tag_exists(name: str) -> bool:
    import timm

    try:
        timm.get_pretrained_cfg(name)
    except RuntimeError:  # how timm says that it knows the network, but not the part after the dot
        return False
    return True


def _tagged(name: str) -> list[str]:
    import timm

    return timm.list_pretrained(f"{name.split('.')[0]}*") if name.split(".")[0] else []


def _needs_pretrained(name: str, config: Any) -> None:
    if config is None or not config.has_weights:
        raise TrainingError(
            f"timm has no trained weights for {name}",
            fix="choose a name that has a tag, as in convnext_nano.in12k_ft_in1k",
        )


def _cached(name: str) -> dict[str, str]:
    """Where the hub's copy lies when it was fetched before. Raises TrainingError at once when there is none to be had.

    Left to itself the hub's client tries for most of a minute before it gives up, cached or not.
    """
    import timm

    config = timm.get_pretrained_cfg(name)
    repository = getattr(config, "hf_hub_id", None)
    if not repository:
        return {}
    if (file := relatives.hub_file(repository)) is not None:
        return {"file": file}
    if (problem := hub_problem()) is not None:
        raise _offline(name, problem)
    return {}


def hub_problem() -> str | None:
    """Why the hub cannot be reached; None where it answers. Asks, for up to 10 s."""
    import huggingface_hub as hub

    try:
        hub.get_session().head(hub.constants.ENDPOINT, timeout=10)
    except Exception as problem:  # noqa: BLE001  # whatever the client behind it raises: there is no way to the hub
        return first_line(problem)
    return None
