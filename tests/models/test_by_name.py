"""Networks of timm and torchvision by name: the library's own, with fresh weights, and never a byte from elsewhere."""

import pytest
import timm
import torch
import torchvision
from torch import nn

from ursa import models
from ursa.errors import TrainingError
from ursa.models.built import built_of


def shapes(net) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in net.state_dict().items()}


@pytest.mark.parametrize("name", ["resnet10t", "mobilenetv3_small_050", "vit_tiny_patch16_224"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_timm_name_is_timms_network(name, channels):
    with torch.device("meta"):
        ours = models.create(name, 7, channels=channels)
        theirs = timm.create_model(name, pretrained=False, num_classes=7, in_chans=channels)
    assert type(ours) is type(theirs) and shapes(ours) == shapes(theirs)


@pytest.mark.parametrize("name", ["resnet18", "squeezenet1_1", "googlenet", "mobilenet_v3_small"])
def test_a_torchvision_name_is_torchvisions_network(name):
    with torch.device("meta"):
        ours = models.create(f"torchvision:{name}", 7)
        extra = {"aux_logits": False, "init_weights": False} if name == "googlenet" else {}
        theirs = torchvision.models.get_model(name, weights=None, num_classes=7, **extra)
    assert type(ours) is type(theirs) and shapes(ours) == shapes(theirs)


def test_torchvisions_inception_gives_logits_alone_so_that_any_loss_takes_them():
    net = models.create("torchvision:googlenet", 3).train()
    assert isinstance(net(torch.rand(2, 3, 64, 64)), torch.Tensor)


def test_the_tag_of_pretrained_weights_is_left_out_but_remembered():
    with torch.device("meta"):
        plain, tagged = models.create("resnet18", 3), models.create("resnet18.a1_in1k", 3)
    assert shapes(plain) == shapes(tagged)
    assert built_of(tagged).arguments["name"] == "resnet18.a1_in1k"


def test_nothing_is_fetched(monkeypatch):
    import socket

    def refused(*_):
        raise AssertionError("a connection")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refused)
    models.create("resnet10t", 2)
    models.create("torchvision:squeezenet1_1", 2)


def test_the_seed_alone_decides_the_weights_and_torchs_stream_goes_on():
    torch.manual_seed(1)
    one = models.create("resnet10t", 2, seed=4)
    wanted = torch.rand(3)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(3), wanted)
    other, third = models.create("resnet10t", 2, seed=4), models.create("resnet10t", 2, seed=5)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert not torch.equal(one.conv1[0].weight, third.conv1[0].weight)


@pytest.mark.parametrize("name", ["resnet10t", "torchvision:mobilenet_v3_small"])
def test_how_it_was_made_is_remembered(name):
    with torch.device("meta"):
        net = models.create(name, 5, seed=9)
    assert built_of(net).to_json() == {
        "builder": "create",
        "arguments": {"name": name, "classes": 5, "channels": 3, "seed": 9},
    }


@pytest.mark.parametrize(
    "name",
    [
        "hf-hub:timm/resnet18",
        "hf_hub:timm/resnet18",
        "local-dir:/etc",
        "http://a.b/c",
        "torchvision:torchvision:resnet18",
        "x:torchvision:resnet18",
        "torchvision:fasterrcnn_resnet50_fpn",
        "torchvision:",
        "",
        "../resnet18",
    ],
)
def test_a_name_that_is_no_classifier_is_refused_before_a_library_follows_it(name):
    with pytest.raises(TrainingError, match="called") as problem:
        models.create(name, 3)
    assert repr(name.removeprefix("torchvision:")) in problem.value.what or repr(name) in problem.value.what


@pytest.mark.parametrize(
    ("name", "meant"),
    [("resnet-18", "resnet18"), ("torchvision:resnet19", "torchvision:resnet1"), ("vit_tiny_patch16", "vit_tiny")],
)
def test_a_mistyped_name_is_told_its_nearest(name, meant):
    with pytest.raises(TrainingError) as problem:
        models.create(name, 3)
    assert meant in problem.value.fix


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("resnet18", {"classes": 0}, "classes"),
        ("resnet18", {"classes": 3, "channels": 0}, "channels"),
        ("resnet18", {"classes": 3, "seed": -1}, "seed"),
        (18, {"classes": 3}, "has to be a text"),
    ],
)
def test_arguments_that_make_none_are_refused_by_name(name, options, words):
    with pytest.raises(TrainingError, match=words):
        models.create(name, **options)


def test_four_channels_are_timms_to_take():
    with pytest.raises(TrainingError) as problem:
        models.create("torchvision:resnet18", 3, channels=4)
    assert problem.value.found == "channels=4" and "timm" in problem.value.fix
    net = models.create("resnet10t", 3, channels=4)
    assert isinstance(net, nn.Module) and net(torch.rand(1, 4, 64, 64)).shape == (1, 3)
