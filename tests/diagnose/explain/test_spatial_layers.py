"""The layer is found by itself in each family of networks, and its positions lie where they do in the picture."""

import pytest
import timm
import torch
import torchvision
from torch import nn

from ursa.diagnose.explain.spatial_layers import SIDE, SpatialLayer, last_spatial_layer
from ursa.errors import TrainingError

FAMILIES = {  # timm's, pixels: layer, layout, positions, tokens before those of the picture
    ("test_resnet", 160): ("layer4", "NCHW", 5, 0),
    ("mobilenetv3_small_050", 128): ("blocks", "NCHW", 4, 0),
    ("test_efficientnet", 160): ("bn2", "NCHW", 5, 0),
    ("test_convnext", 160): ("norm_pre", "NCHW", 5, 0),
    ("test_vit", 160): ("blocks.5.norm1", "NLC", 10, 1),
    ("test_vit4", 160): ("blocks", "NLC", 10, 1),
    ("test_vit3", 160): ("norm", "NLC", 10, 1),
    ("test_maxvit", 160): ("norm", "NCHW", 5, 0),
    ("test_nfnet", 160): ("final_act", "NCHW", 5, 0),
}
SMALL = {"depths": (1, 1, 1), "num_heads": (1, 2, 4), "embed_dim": 16}


@pytest.mark.parametrize(("name", "size"), FAMILIES)
def test_each_family_has_its_layer(name, size):
    torch.manual_seed(0)
    model = timm.create_model(name, num_classes=5)
    found = last_spatial_layer(model, torch.randn(2, 3, size, size))
    assert (found.name, found.layout, found.height, found.prefix) == FAMILIES[name, size]
    assert found.width == found.height >= SIDE


def test_windows_of_swin_and_registers_and_distillation_tokens_are_told_apart():
    torch.manual_seed(0)
    swin = timm.create_model("swin_tiny_patch4_window7_224", img_size=64, window_size=4, num_classes=5, **SMALL)
    assert last_spatial_layer(swin, torch.randn(1, 3, 64, 64)).layout == "NHWC"
    small = {"img_size": 64, "embed_dim": 16, "depth": 2, "num_heads": 2, "num_classes": 5}
    registers = timm.create_model("vit_tiny_patch16_224", patch_size=8, reg_tokens=4, **small)
    found = last_spatial_layer(registers, torch.randn(1, 3, 64, 64))
    assert (found.prefix, found.height, found.name) == (5, 8, "blocks.1.norm1")
    distilled = timm.create_model("deit_tiny_distilled_patch16_224", patch_size=8, **small)
    assert last_spatial_layer(distilled, torch.randn(1, 3, 64, 64)).prefix == 2


def test_torchvisions_transformer_too():
    torch.manual_seed(0)
    vit = torchvision.models.VisionTransformer(64, 8, 2, 2, 16, 32, num_classes=5)
    with pytest.raises(TrainingError, match="outputs depend on"):  # its head begins with zeros
        last_spatial_layer(vit, torch.randn(1, 3, 64, 64))
    nn.init.normal_(vit.heads.head.weight)
    found = last_spatial_layer(vit, torch.randn(1, 3, 64, 64))
    assert (found.name, found.prefix) == ("encoder.layers.encoder_layer_1.ln_1", 1)


def test_pictures_need_not_be_square():
    model = nn.Sequential(nn.Conv2d(3, 5, 3, 4, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 2))
    found = last_spatial_layer(model, torch.randn(1, 3, 40, 64))
    assert (found.height, found.width, found.layout) == (10, 16, "NCHW")


def test_a_map_of_few_positions_is_taken_only_where_there_is_no_larger_one():
    first, last = nn.Conv2d(3, 5, 2, 2), nn.Conv2d(5, 5, 4, 4)
    model = nn.Sequential(first, nn.ReLU(), last, nn.Flatten(), nn.Linear(20, 2))
    assert last_spatial_layer(model, torch.randn(1, 3, 16, 16)).name == "1"  # 8 x 8; the last one has 2 x 2
    coarse = nn.Sequential(nn.Conv2d(3, 5, 8, 8), nn.Flatten(), nn.Linear(20, 2))
    assert last_spatial_layer(coarse, torch.randn(1, 3, 16, 16)).height == 2


@pytest.mark.parametrize(("layout", "prefix"), [("NCHW", 0), ("NHWC", 0), ("NLC", 0), ("NLC", 5)])
def test_positions_of_each_layout_come_out_where_they_are(layout, prefix):
    maps = torch.arange(2 * 7 * 3 * 4).float().view(2, 7, 3, 4)
    tokens = torch.cat([torch.full((2, prefix, 7), -1.0), maps.flatten(2).transpose(1, 2)], 1)
    given = {"NCHW": maps, "NHWC": maps.permute(0, 2, 3, 1), "NLC": tokens}[layout]
    layer = SpatialLayer("", 0, layout, 3, 4, 7, prefix)
    assert torch.equal(layer.maps(given), maps)
