"""Grad-CAM: do random weights destroy the maps (sanity check), and do they lie on the object (pointing game)?

For each family of networks a small one is trained from scratch to tell digits that lie somewhere on noise, so that it
is known where the object is; SqueezeNet has its real weights. Beside it three planted maps: the edges of the picture,
the mean of the layer's activations, and guided backpropagation, which Adebayo et al. found to fail.
"""

import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import timm
import torch
from common import RESULTS, SHARED, SQUEEZENET, report, shared
from torch import Tensor, nn
from torch.nn import functional as F

from ursa import sandbox
from ursa.core.prepare import Preparation
from ursa.diagnose.explain import cam, sanity_check
from ursa.diagnose.explain.spatial_layers import SpatialLayer, recorded

SIDE, DIGIT = 128, 44  # pixels: of a picture, of the digit in it
CLASSES, BATCH, LR = 4, 32, 2e-3
FAMILIES: dict[str, tuple[str, dict[str, Any], int]] = {  # name: (timm's, arguments, steps)
    "ResNet": ("test_resnet", {}, 180),
    "MobileNetV3": ("mobilenetv3_small_050", {}, 500),
    "EfficientNet": ("test_efficientnet", {}, 320),
    "ConvNeXt": ("test_convnext", {"ls_init_value": None}, 600),
    "ViT": ("test_vit", {"img_size": SIDE}, 1000),
}
JUDGED = 200  # pictures


def main() -> None:
    torch.set_num_threads(1)
    shared("dogs_cats")
    digits = of_classes(np.load(SHARED / "data" / "mnist_12k.npz"))
    asked = sys.argv[1:] or [*FAMILIES, "SqueezeNet"]  # families that are not named keep the rows they have
    rows = {row[0]: row for row in known()}
    for name in asked:
        for row in real_weights() if name == "SqueezeNet" else [trained_family(name, digits)]:
            rows[row[0]] = row
        told(list(rows.values()))


def known() -> Any:
    """The rows of the last run."""
    file = RESULTS / "grad_cam.json"
    return json.loads(file.read_text())["rows"] if file.exists() else []


def told(rows: list[list[object]]) -> None:
    columns = [
        "network",
        "layer",
        "accuracy",
        "peak on the object",
        "by chance",
        "head random",
        "all random",
        "verdict",
    ]
    note = (
        f"Trained from scratch on four of MNIST's digits, {DIGIT} px, somewhere on noise of {SIDE} px. Peak on the "
        f"object: pointing game (Zhang et al. 2016) on {JUDGED} held-out pictures that were predicted right. Random: "
        "mean rank correlation of the maps with those of permuted weights, after the head and after all layers; a map "
        f"passes that stays below {sanity_check.LIMIT:g} after each step. The planted maps of SqueezeNet come from the "
        "picture alone, from no class, or hardly from the last layers: they have to fail."
    )
    report("grad_cam", "Grad-CAM: sanity check and pointing game", columns, rows, note)


def of_classes(digits: Mapping[str, npt.NDArray[np.uint8]]) -> dict[str, npt.NDArray[np.uint8]]:
    """The first few digits: what is measured is where networks look, not how well they read."""
    found: dict[str, npt.NDArray[np.uint8]] = {}
    for part in ("train", "valid"):
        chosen = digits[f"y_{part}"] < CLASSES
        found |= {f"{name}_{part}": digits[f"{name}_{part}"][chosen] for name in ("x", "y")}
    return found


def trained_family(name: str, digits: dict[str, npt.NDArray[np.uint8]]) -> list[object]:
    timms, arguments, steps = FAMILIES[name]
    torch.manual_seed(0)
    began = time.process_time()
    model = timm.create_model(timms, num_classes=CLASSES, **arguments).to(memory_format=torch.channels_last)
    trained(model, digits["x_train"], digits["y_train"], steps)
    random = np.random.default_rng(1)
    pictures, targets, corners = scenes(digits["x_valid"], digits["y_valid"], 2 * JUDGED, random)
    model.eval()
    with torch.inference_mode():
        right = (model(pictures).argmax(1) == targets).numpy()
    rows = np.flatnonzero(right)[:JUDGED]
    found = cam.grad_cam(model, pictures[rows], targets[rows].numpy())
    hits = [on_object(one, corners[row]) for one, row in zip(found.maps, rows, strict=True)]
    chance = np.mean([on_object(random.random((SIDE, SIDE)), corners[row]) for row in np.repeat(rows, 20)])
    print(f"{name}: {time.process_time() - began:.0f} s, {np.mean(hits):.2f}, {found}", file=sys.stderr)
    return row_of(f"{name} (`{timms}`)", found, f"{100 * right.mean():.0f} %", np.mean(hits), chance)


def trained(model: nn.Module, x: npt.NDArray[np.uint8], y: npt.NDArray[np.uint8], steps: int) -> None:
    random = np.random.default_rng(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=LR, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LR, total_steps=steps)
    model.train()
    for _ in range(steps):
        pictures, targets, _ = scenes(x, y, BATCH, random)
        loss = F.cross_entropy(model(pictures), targets)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()


def scenes(
    x: npt.NDArray[np.uint8], y: npt.NDArray[np.uint8], count: int, random: np.random.Generator
) -> tuple[Tensor, Tensor, npt.NDArray[np.int64]]:
    """Digits somewhere on noise: [N, 3, SIDE, SIDE], classes [N], upper left corners [N, 2]."""
    rows, corners = random.integers(len(x), size=count), random.integers(SIDE - DIGIT + 1, size=(count, 2))
    large = F.interpolate(torch.from_numpy(x[rows])[:, None] / 255, size=(DIGIT, DIGIT), mode="bilinear")[:, 0]
    pictures = torch.from_numpy(random.normal(0, 0.25, (count, SIDE, SIDE)).astype(np.float32))
    for picture, digit, (top, left) in zip(pictures, large, corners, strict=True):
        picture[top : top + DIGIT, left : left + DIGIT] += 1.5 * digit
    shown = pictures[:, None].expand(-1, 3, -1, -1).contiguous(memory_format=torch.channels_last)
    return shown, torch.from_numpy(y[rows].astype(np.int64)), corners


def on_object(one: npt.NDArray[np.floating], corner: npt.NDArray[np.int64]) -> bool:
    """Whether the largest value of a map lies in the square of the digit."""
    peak = np.array(np.unravel_index(one.argmax(), one.shape))
    return bool(((peak >= corner) & (peak < corner + DIGIT)).all())


def row_of(name: str, found: cam.GradCam, accuracy: str, hits: Any, chance: Any) -> list[object]:
    check = found.check
    assert check is not None
    shares = ["" if each is None else f"{100 * each:.0f} %" for each in (hits, chance)]
    similar = [f"{check.similarity[0]:.2f}", f"{check.similarity[-1]:.2f}"]
    return [name, str(found.layer), accuracy, *shares, *similar, "passes" if check.passed else "fails"]


def real_weights() -> list[list[object]]:
    """SqueezeNet on photos, and the planted maps."""
    import torchvision
    from safetensors.torch import load_file

    folder = shared("dogs_cats")
    files = sorted(folder.rglob("*.jpg"))[::100][:12]
    views = np.stack([sandbox.view(file, Preparation(227)) for file in files])
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    pictures = (torch.from_numpy(views).permute(0, 3, 1, 2) / 255 - mean) / std
    model = torchvision.models.squeezenet1_0()
    model.load_state_dict(load_file(SQUEEZENET))
    found = cam.grad_cam(model.eval(), pictures)
    rows = [row_of("SqueezeNet, real weights, photos", found, "", None, None)]
    targets = torch.from_numpy(found.targets)
    at = cam.grad_cam(model, pictures, layer="features", check=False).layer
    for name, maps_of in PLANTED.items():
        check = sanity_check.sanity_check(model, pictures, targets, at, maps_of(model, pictures, targets, at), maps_of)
        similar = [f"{check.similarity[0]:.2f}", f"{check.similarity[-1]:.2f}"]
        rows.append([f"planted: {name}", str(at), "", "", "", *similar, "passes" if check.passed else "fails"])
    return rows


def edges(_: nn.Module, pictures: Tensor, __: Tensor, layer: SpatialLayer) -> npt.NDArray[np.float32]:
    """Of the picture alone."""
    gray = pictures.mean(1, keepdim=True)
    slopes = (gray[..., 1:, 1:] - gray[..., :-1, 1:]).abs() + (gray[..., 1:, 1:] - gray[..., 1:, :-1]).abs()
    return F.adaptive_avg_pool2d(slopes, (layer.height, layer.width))[:, 0].numpy()


def mean_activation(model: nn.Module, pictures: Tensor, _: Tensor, layer: SpatialLayer) -> npt.NDArray[np.float32]:
    """Of the layer, of no class."""
    with recorded(model, only=layer.name) as outputs, torch.no_grad():
        model(pictures.clone())
        return layer.maps(outputs[-1].value).mean(1).numpy()


def guided_backpropagation(
    model: nn.Module, pictures: Tensor, targets: Tensor, layer: SpatialLayer
) -> npt.NDArray[np.float32]:
    """Slopes at the pixels, with negative ones cut off at every ReLU (Springenberg et al. 2015)."""
    relus = [module for module in model.modules() if isinstance(module, nn.ReLU)]
    for relu in relus:
        relu.inplace = False

    def cut(_: nn.Module, slopes: Any, __: Any) -> tuple[Tensor]:
        return (slopes[0].clamp_min(0),)

    handles = [relu.register_full_backward_hook(cut) for relu in relus]
    given = pictures.clone().requires_grad_(True)
    slopes: Any = torch.autograd.grad(model(given).gather(1, targets[:, None]).sum(), given)
    for handle in handles:
        handle.remove()
    return F.adaptive_avg_pool2d(slopes[0].abs().amax(1, keepdim=True), (layer.height, layer.width))[:, 0].numpy()


PLANTED: dict[str, Callable[[nn.Module, Tensor, Tensor, SpatialLayer], npt.NDArray[np.float32]]] = {
    "edges of the picture": edges,
    "mean activation of the layer": mean_activation,
    "guided backpropagation": guided_backpropagation,
}

if __name__ == "__main__":
    main()
