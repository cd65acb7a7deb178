"""timm and torchvision networks without their heads, from files with random weights: no network is needed."""

import os
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from ursa.embed.backbone import Backbone
from ursa.errors import TrainingError

# name -> what the last linear layer is called, which takes the mean of the feature map (or the pooled vector)
TORCHVISION = {
    "resnet18": "fc",
    "regnet_y_400mf": "fc",
    "shufflenet_v2_x0_5": "fc",
    "mobilenet_v3_small": "classifier",
    "mnasnet0_5": "classifier",
}
TORCHVISION_LARGE = {
    "inception_v3": "fc",
    "googlenet": "fc",
    "densenet121": "classifier",
    "efficientnet_b0": "classifier",
    "swin_t": "head",
    "convnext_tiny": "classifier",
}
# name -> features: twice the channels of its map, or what its head holds before the classifier
TIMM = {
    "resnet10t": 1024,
    "mobilenetv3_small_050": 1024,
    "vit_tiny_patch16_224": 192,
    "regnetx_002": 736,
    "ghostnet_050": 1280,
}
TIMM_LARGE = {"swin_tiny_patch4_window7_224": 768, "convnext_atto": 640, "efficientnet_b0": 2560}


SIDE = 96  # pixels, of networks that take any: a fifth of the time


def settled(model: nn.Module, size: int) -> nn.Module:
    """A network whose norms have seen pictures: otherwise these fade from layer to layer, and with them all faults."""
    model.eval()
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
        norm.train()
    with torch.no_grad():
        model(normalized(pictures(size)))
    for norm in norms:
        norm.eval()
    return model


def of_torchvision(name: str) -> nn.Module:
    import torchvision

    extra = {"init_weights": False, "transform_input": True} if name in ("googlenet", "inception_v3") else {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return settled(torchvision.models.get_model(name, weights=None, **extra), SIDE)


def of_timm(name: str) -> nn.Module:
    import timm

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = timm.create_model(name, pretrained=False)
        return settled(model, side_of(model))


def side_of(model: nn.Module) -> int:
    """Networks of timm that are made for one size say so."""
    config = model.pretrained_cfg
    return config["input_size"][-1] if config.get("fixed_input_size") else SIDE


def saved(model: nn.Module, file: Path) -> Path:
    state = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    if file.suffix == ".safetensors":
        save_file(state, file)
    else:
        torch.save(state, file)
    return file


def pictures(size: int) -> torch.Tensor:
    """Noise, dark and bluish, then bright and reddish."""
    noise = torch.rand((2, size, size, 3), generator=torch.Generator().manual_seed(1))
    return (noise * torch.tensor([[60, 90, 150], [255, 180, 140]])[:, None, None]).to(torch.uint8)


def normalized(views: torch.Tensor, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)) -> torch.Tensor:
    """What the library's own recipe feeds the network."""
    return ((views.permute(0, 3, 1, 2) / 255) - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)


def close(one: torch.Tensor, other: torch.Tensor) -> bool:
    return bool((one - other).abs().max() < 1e-3 * other.abs().max().clamp(min=1e-3))


def same_answers(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Equal to a hundredth of what two pictures differ by, which is little where nothing was learned."""
    return bool((one - other).abs().max() < 0.01 * (other[0] - other[1]).abs().max())


def names(small, large) -> list:
    return [*small, *(pytest.param(name, marks=pytest.mark.large) for name in large)]


@pytest.mark.parametrize("name", names(TORCHVISION, TORCHVISION_LARGE))
def test_the_head_of_a_torchvision_network_on_our_features_gives_the_networks_own_answer(tmp_path, name):
    """So nothing is missing from the body, doubled in it, or fed with other colours than the network expects."""
    model = of_torchvision(name)
    extractor = Backbone(f"torchvision:{name}", saved(model, tmp_path / "w.safetensors")).load()
    views = pictures(SIDE)
    with torch.inference_mode():
        features, own = extractor(views), model(normalized(views))
        head = getattr(model, {**TORCHVISION, **TORCHVISION_LARGE}[name])
        first = next(part for part in head.modules() if isinstance(part, nn.Linear))
        pooled = features[:, : first.in_features]
        logits = head(pooled[..., None, None] if name.startswith("convnext") else pooled)
    assert features.dtype == torch.float32 and torch.isfinite(features).all()
    assert features.shape[1] in (first.in_features, 2 * first.in_features)
    assert same_answers(logits, own)


def test_the_features_of_squeezenet_are_mean_and_maximum_of_its_own_map(tmp_path):
    model = of_torchvision("squeezenet1_0")
    extractor = Backbone("torchvision:squeezenet1_0", saved(model, tmp_path / "w.pth")).load()
    views = pictures(SIDE)
    with torch.inference_mode():
        maps = model.features(normalized(views))
        assert close(extractor(views), torch.cat([maps.mean((2, 3)), maps.amax((2, 3))], 1))


@pytest.mark.parametrize("name", names(TIMM, TIMM_LARGE))
def test_the_head_of_a_timm_network_on_our_features_gives_the_networks_own_answer(tmp_path, name):
    model = of_timm(name)
    extractor = Backbone(name, saved(model, tmp_path / "w.pth")).load()
    views, config = pictures(side_of(model)), model.pretrained_cfg
    with torch.inference_mode():
        features, own = extractor(views), model(normalized(views, config["mean"], config["std"]))
        if extractor.body.has_map:
            logits = model.forward_head(features[:, : model.num_features, None, None])
        else:
            logits = model.get_classifier()(features)
    assert features.shape == (2, {**TIMM, **TIMM_LARGE}[name]) and torch.isfinite(features).all()
    assert same_answers(logits, own)


# --- files of weights ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def resnet(tmp_path_factory) -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    """A network, views, and its features read from a plain file."""
    model = of_torchvision("resnet18")
    file = saved(model, tmp_path_factory.mktemp("weights") / "w.safetensors")
    views = pictures(64)
    with torch.inference_mode():
        return model, views, Backbone("torchvision:resnet18", file).load()(views)


def features_from(file: Path, views: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return Backbone("torchvision:resnet18", file).load()(views)


@pytest.mark.parametrize("wrap", [lambda s: s, lambda s: {"state_dict": s, "epoch": 3}, lambda s: {"model": s}])
def test_every_form_of_file_gives_the_same_features(tmp_path, resnet, wrap):
    model, views, wanted = resnet
    torch.save(wrap(model.state_dict()), tmp_path / "w.pth")
    assert torch.equal(features_from(tmp_path / "w.pth", views), wanted)


def test_a_head_that_is_missing_or_was_trained_for_other_classes_changes_nothing(tmp_path, resnet):
    model, views, wanted = resnet
    body = {key: value for key, value in model.state_dict().items() if not key.startswith("fc.")}
    heads = ({}, {"fc.weight": torch.zeros(3, 512), "fc.bias": torch.zeros(3)}, {"head.more": torch.zeros(7)})
    for number, head in enumerate(heads):
        torch.save({**body, **head}, tmp_path / f"{number}.pth")
        assert torch.equal(features_from(tmp_path / f"{number}.pth", views), wanted)


def test_loading_draws_nothing_from_the_users_random_numbers_and_freezes_the_body(tmp_path, resnet):
    file = saved(resnet[0], tmp_path / "w.safetensors")
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    extractor = Backbone("torchvision:resnet18", file).load()
    assert torch.equal(torch.rand(3), wanted)
    assert not extractor.training and not any(p.requires_grad for p in extractor.parameters())


def test_pictures_do_not_influence_each_other(resnet, tmp_path):
    model, views, wanted = resnet
    file = saved(model, tmp_path / "w.safetensors")
    assert close(torch.cat([features_from(file, view[None]) for view in views]), wanted)


def refused(name: str, file: Path) -> TrainingError:
    with pytest.raises(TrainingError) as error:
        Backbone(name, file).load()
    return error.value


def test_the_weights_of_another_network_are_refused_naming_keys_and_shapes(tmp_path, resnet):
    file = saved(resnet[0], tmp_path / "w.safetensors")
    other = refused("torchvision:squeezenet1_0", file)
    assert "not those of torchvision:squeezenet1_0" in other.what and "--backbone" in other.fix
    assert "missing: features.0.weight" in other.found and "not in the network: " in other.found
    wider = refused("torchvision:resnet34", file)
    assert "missing: layer1.2.conv1.weight" in wider.found and "not in the network" not in wider.found
    state = resnet[0].state_dict()
    torch.save({**state, "conv1.weight": torch.zeros(64, 1, 7, 7)}, tmp_path / "grey.pth")
    gray = refused("torchvision:resnet18", tmp_path / "grey.pth")
    assert gray.found == "shapes: conv1.weight [64, 1, 7, 7] instead of [64, 3, 7, 7]"


@pytest.mark.parametrize("part", ["conv1.weight", "running_var", "layer1.", "layer2.0.downsample", "layer4.1.bn2.bias"])
def test_weights_that_miss_any_part_of_the_body_are_refused_naming_it(tmp_path, resnet, part):
    torch.save({key: value for key, value in resnet[0].state_dict().items() if part not in key}, tmp_path / "w.pth")
    found = refused("torchvision:resnet18", tmp_path / "w.pth").found
    assert found.startswith("missing: ") and part in found


class Trap:
    """Unpickled carelessly, it makes a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self):
        return os.mkdir, (str(self.file),)


def test_code_in_a_file_of_weights_is_refused_and_never_run(tmp_path):
    for name, save in (("t.pth", torch.save), ("p.pth", lambda trap, file: file.write_bytes(pickle.dumps(trap)))):
        save({"conv1.weight": Trap(tmp_path / "sprung")}, tmp_path / name)
        error = refused("torchvision:resnet18", tmp_path / name)
        assert "cannot read weights" in error.what and "safetensors" in error.fix
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth", "w"])
@pytest.mark.parametrize("data", [b"", b"<html>", bytes(100), b"PK\x03\x04", b"\x80\x02}"], ids=repr)
def test_a_file_that_holds_no_weights_is_refused(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    error = refused("torchvision:resnet18", tmp_path / name)
    assert str(tmp_path / name) in error.what and error.fix


@pytest.mark.parametrize("document", [[1, 2], {"epoch": 3}, torch.zeros(3), {"state_dict": {"a": "b"}}], ids=repr)
def test_a_file_that_holds_something_else_is_refused(tmp_path, document):
    torch.save(document, tmp_path / "w.pth")
    assert "holds no state dict" in refused("torchvision:resnet18", tmp_path / "w.pth").what


def test_a_truncated_file_of_weights_is_refused(tmp_path, resnet):
    for name in ("w.safetensors", "w.pth"):
        whole = saved(resnet[0], tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        assert "cannot read weights" in refused("torchvision:resnet18", tmp_path / name).what


# --- the hub's own files, as if fetched before ---------------------------------------------------------------------


@pytest.mark.parametrize("name", names(["squeezenet1_0"], ["googlenet", "inception_v3"]))
def test_weights_that_the_hub_left_here_are_used_and_are_the_same_as_from_a_file(tmp_path, monkeypatch, name):
    import torchvision

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    model = of_torchvision(name)
    cache = tmp_path / "hub" / "checkpoints" / torchvision.models.get_model_weights(name).DEFAULT.url.rsplit("/", 1)[-1]
    cache.parent.mkdir(parents=True)
    torch.save(model.state_dict(), cache)
    from_hub, from_file = Backbone(f"torchvision:{name}").load(), Backbone(f"torchvision:{name}", cache).load()
    views = pictures(SIDE)
    with torch.inference_mode():
        assert torch.equal(from_hub(views), from_file(views))
