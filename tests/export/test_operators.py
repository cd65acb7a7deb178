"""What the exporter writes for networks on pictures is what a bundle may hold; anything else is refused at export."""

from pathlib import Path

import pytest
import torch
from torch import nn

from ursa.core.bundles.onnx_rules import require_plain
from ursa.core.prepare import Preparation
from ursa.embed.backbone import Backbone
from ursa.embed.extractor import Extractor
from ursa.errors import BundleError
from ursa.export.onnx import _reason, to_onnx
from ursa.serve.session import Session
from ursa.training.classifier import Classifier

SIZE = 32
MEAN = (0.5,) * 3

# Families of timm with few blocks, so that exporting takes seconds; all of their operators are there.
FAMILIES = {
    "resnet10t": {},
    "vit_tiny_patch16_224": {"img_size": SIZE, "patch_size": 8, "depth": 1, "embed_dim": 24, "num_heads": 2},
    "vit_small_patch14_reg4_dinov2": {"img_size": 28, "depth": 1, "embed_dim": 24, "num_heads": 2},
    "swin_tiny_patch4_window7_224": {
        "img_size": SIZE,
        "patch_size": 2,
        "window_size": 4,
        "depths": (2, 2),
        "embed_dim": 12,
        "num_heads": (2, 2),
    },
    "convnext_atto": {"depths": (1, 1, 1, 1), "dims": (8, 8, 8, 8)},
    "hgnetv2_b0": {},
    "tiny_vit_5m_224": {
        "embed_dims": (8, 8, 16, 16),
        "depths": (1, 1, 1, 1),
        "num_heads": (1, 1, 2, 2),
        "window_sizes": (4, 4, 4, 4),
    },
}


def classifier(body: nn.Module, size: int = SIZE) -> Classifier:
    features = body.eval()(torch.zeros(2, 3, size, size)).shape[1]
    return Classifier(Extractor(body, MEAN, MEAN, size), features, 3, views=2).eval()


LARGE = ("swin_tiny_patch4_window7_224", "hgnetv2_b0", "tiny_vit_5m_224")  # 5 to 10 s each to export


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.large] if name in LARGE else []) for name in FAMILIES]
)
def test_families_of_networks_can_be_written_and_run(name):
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    size = FAMILIES[name].get("img_size", SIZE)
    model = classifier(timm.create_model(name, pretrained=False, num_classes=0, **FAMILIES[name]), size)
    content = to_onnx(model, Preparation(size))
    pictures = torch.randint(0, 256, (9, size, size, 3), dtype=torch.uint8)
    with torch.inference_mode():
        learned = model(pictures).numpy()
    assert abs(Session(content, size, 3)(pictures.numpy()) - learned).max() < 1e-3


def test_the_file_says_nothing_of_the_machine_that_wrote_it():
    content = to_onnx(Classifier(Backbone("pixels").load(), 960, 3).eval(), Preparation(64))
    require_plain(content)
    for secret in (str(Path.cwd()), "site-packages", "stack_trace", 'File "', __file__):
        assert secret.encode() not in content


class Positions(nn.Module):
    """Its shapes depend on the pixels."""

    def forward(self, pictures):
        return pictures.flatten(1)[:, :4] + torch.nonzero(pictures).sum()


class Random(nn.Module):
    """Another answer each time."""

    def forward(self, pictures):
        return pictures.flatten(1)[:, :4] + torch.randn(1)


class Highest(nn.Module):
    """An operator that is not on the list."""

    def forward(self, pictures):
        return pictures.flatten(1).topk(4, dim=1).values


@pytest.mark.parametrize("body", [Positions, Random, Highest])
def test_a_network_that_no_bundle_may_hold_is_refused_by_name(body):
    model = Classifier(Extractor(body(), MEAN, MEAN, SIZE), 4, 3).eval()
    with pytest.raises(BundleError, match=r"cannot become a bundle|cannot be exported") as caught:
        to_onnx(model, Preparation(SIZE))
    assert caught.value.found.isprintable() and "--backbone" in caught.value.fix


def test_what_began_a_failure_is_told_and_not_what_wraps_it():
    try:
        try:
            raise KeyError("no such layer\nand a page more")
        except KeyError as first:
            raise RuntimeError("\x1b[96mThis is step 2/3\x1b[0m of exporting") from first
    except RuntimeError as problem:
        assert _reason(problem) == "KeyError: 'no such layer\\nand a page more'"
        assert _reason(ValueError("one\ntwo")) == "ValueError: one"
