"""A name -> an extractor: found or refused with the nearest name, known by its fingerprint, pinned by numbers."""

import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

from ursa.core.prepare import Preparation
from ursa.embed.backbone import Backbone
from ursa.embed.engine import Engine, fast_precision
from ursa.embed.pretrained import bodies
from ursa.errors import DataError, TrainingError
from ursa.workspace import Workspace

SQUEEZENET = "torchvision:squeezenet1_0"


@pytest.fixture(scope="module")
def small_weights(tmp_path_factory) -> list[Path]:
    """Three files of weights for squeezenet1_0: two different ones, and a copy of the first."""
    import torchvision

    folder = tmp_path_factory.mktemp("weights")
    with torch.random.fork_rng(devices=[]):
        for name in ("one", "other"):
            torch.save(torchvision.models.squeezenet1_0(weights=None).state_dict(), folder / f"{name}.pth")
    (folder / "copy.pth").write_bytes((folder / "one.pth").read_bytes())
    return [folder / "one.pth", folder / "other.pth", folder / "copy.pth"]


def run(program: str, *arguments: object, **environment: str) -> list[str]:
    """The lines that a program of its own prints."""
    command = [sys.executable, "-W", "error", "-c", program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env={**os.environ, **environment})
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


# --- pixels --------------------------------------------------------------------------------------------------------


def test_pixels_needs_no_weights_and_gives_directions_and_colors_of_8_by_8_cells(photo):
    extractor = Backbone("pixels").load()
    views = np.stack([Preparation(64).view(photo(seed, 80, 60)) for seed in range(3)])
    features = extractor(torch.from_numpy(views))
    assert extractor.size == 64
    assert features.shape == (3, (12 + 3) * 64) and features.dtype == torch.float32
    assert torch.isfinite(features).all()
    assert torch.equal(features, Backbone("pixels").load()(torch.from_numpy(views)))


def test_pixels_see_direction_and_color():
    extractor = Backbone("pixels").load()
    across = np.zeros((64, 64, 3), np.uint8)
    across[(np.arange(64) // 4) % 2 == 0] = 255
    red, blue = np.zeros((64, 64, 3), np.uint8), np.zeros((64, 64, 3), np.uint8)
    red[..., 0] = blue[..., 2] = 255
    lines, turned, one, other = extractor(torch.from_numpy(np.stack([across, across.transpose(1, 0, 2), red, blue])))
    edges = 12 * 64
    by_direction, by_direction_turned = (v[:edges].view(12, -1).sum(1) for v in (lines, turned))
    assert set(by_direction.argsort()[-2:].tolist()) == {3, 9}  # of 12 directions: up and down
    assert set(by_direction_turned.argsort()[-2:].tolist()) == {0, 6}  # left and right
    assert torch.allclose(one[:edges], other[:edges], atol=1e-3)
    assert (one[edges : edges + 64] > other[edges : edges + 64]).all()


def test_a_plain_picture_has_no_directions_and_no_nan():
    features = Backbone("pixels").load()(torch.full((1, 64, 64, 3), 114, dtype=torch.uint8))
    assert features[:, : 12 * 64].abs().max() < 0.1 and torch.isfinite(features).all()


def test_pixels_refuse_weights(tmp_path):
    (tmp_path / "w.pth").touch()
    with pytest.raises(TrainingError, match="has no weights to load"):
        Backbone("pixels", tmp_path / "w.pth").load()


# --- names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("torchvision:squeezenet1_O", "torchvision:squeezenet1_"),
        ("torchvision:resnet34x", "torchvision:resnet34"),
        ("resnet34x", "resnet34"),
        ("resnet34.a1_in1", "resnet34.a1_in1k"),
        ("pixel", "pixels"),
        ("vit_tiny_patch16_242", "vit_tiny_patch16_224"),
    ],
)
@pytest.mark.parametrize("with_file", [False, True])
def test_an_unknown_name_gets_its_nearest_neighbor(tmp_path, name, near, with_file):
    (tmp_path / "w.pth").touch()
    with pytest.raises(TrainingError, match="called") as error:
        Backbone(name, tmp_path / "w.pth" if with_file else None).load()
    assert error.value.fix.startswith(f"did you mean '{near}")


def test_a_network_that_nobody_trained_is_refused():
    import timm

    untrained = next(name for name in timm.list_models() if not timm.is_model_pretrained(name))
    with pytest.raises(TrainingError, match=f"no trained weights for {untrained}"):
        Backbone(untrained).load()


def test_a_missing_file_of_weights_is_refused(tmp_path):
    with pytest.raises(DataError, match="there is no file of weights"):
        Backbone(SQUEEZENET, tmp_path / "gone.pth").describe(Workspace.open(tmp_path))


# --- without a network ---------------------------------------------------------------------------------------------

OFFLINE = """
import json, sys, time
from ursa.embed.backbone import Backbone
from ursa.errors import TrainingError

import timm, torchvision

for name in sys.argv[1].split():
    start = time.monotonic()
    try:
        Backbone(name).load()
    except TrainingError as error:
        print(json.dumps({**error.to_json(), "seconds": time.monotonic() - start}))
"""


def test_without_network_and_file_both_ways_out_are_named_and_soon(tmp_path):
    names = ["resnet34.a1_in1k", SQUEEZENET]
    nowhere = "http://127.0.0.1:9"  # nobody listens there
    everywhere = {
        key: nowhere for proxy in ("http_proxy", "https_proxy", "all_proxy") for key in (proxy, proxy.upper())
    }
    homes = {"no_proxy": "", "NO_PROXY": "", "HF_HOME": str(tmp_path), "TORCH_HOME": str(tmp_path)}
    for name, said in zip(names, run(OFFLINE, " ".join(names), **everywhere, **homes), strict=True):
        error = json.loads(said)
        assert "the hub cannot be reached" in error["error"] and name in error["error"]
        assert error["found"]
        assert "--weights FILE" in error["fix"] and "--backbone pixels" in error["fix"]
        assert error["seconds"] < 20


# --- fingerprints --------------------------------------------------------------------------------------------------


def test_the_fingerprint_is_that_of_name_and_weights(tmp_path, small_weights):
    space = Workspace.open(tmp_path)
    one, other, copy = (Backbone(SQUEEZENET, file).describe(space).fingerprint for file in small_weights)
    assert one == copy != other
    elsewhere = Backbone(SQUEEZENET, small_weights[0]).describe(Workspace.open(tmp_path, tmp_path / "elsewhere"))
    assert elsewhere.fingerprint == one
    assert Backbone("pixels").describe(space).fingerprint not in (one, other)


def test_a_store_is_named_by_weights_preparation_and_precision(tmp_path, small_weights):
    space = Workspace.open(tmp_path)
    about = [Backbone(SQUEEZENET, file).describe(space) for file in small_weights[:2]]
    keys = {description.key(precision) for description in about for precision in ("fp32", "bf16")}
    assert len(keys) == 4
    assert about[0].size == 224 and about[0].preparation == Preparation(224)
    assert Backbone("pixels").describe(space).preparation == Preparation(64)


DESCRIBE = """
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from ursa.embed.backbone import Backbone
from ursa.workspace import Workspace

weights = Path(sys.argv[3]) if len(sys.argv) > 3 else None
print(Backbone(sys.argv[2], weights).describe(Workspace.open(Path(sys.argv[1]))).fingerprint)
print("torch" in sys.modules)
"""


def test_a_backbone_that_was_used_here_is_described_without_loading_torch(tmp_path, small_weights):
    space = Workspace.open(tmp_path)
    for backbone in (Backbone("pixels"), Backbone(SQUEEZENET, small_weights[0])):
        known = backbone.describe(space).fingerprint
        arguments = [tmp_path, backbone.name, *([backbone.weights] if backbone.weights else [])]
        assert run(DESCRIBE, *arguments) == [known, "False"]


def test_changed_weights_under_the_same_name_are_noticed(tmp_path, small_weights):
    space, file = Workspace.open(tmp_path), tmp_path / "w.pth"
    file.write_bytes(small_weights[0].read_bytes())
    before = Backbone(SQUEEZENET, file).describe(space)
    file.write_bytes(small_weights[1].read_bytes())
    assert Backbone(SQUEEZENET, file).describe(space).fingerprint != before.fingerprint


# --- pinned --------------------------------------------------------------------------------------------------------


def test_pixels_are_pinned_by_golden_numbers(photo):
    views = Preparation(64).view(photo(11, 96, 72))[None]
    features = Backbone("pixels").load()(torch.from_numpy(views))[0]
    golden = [0.0782, 0.0045, 0.0364, 0.0074, -0.583, -0.1059]
    assert features[[100, 300, 500, 700, 800, 900]].tolist() == pytest.approx(golden, abs=1e-3)


def test_squeezenet_with_its_real_weights_is_pinned_by_golden_numbers(shared, photo):
    """Channel order, colours, pooling: a mistake that training and serving share would be seen only here."""
    weights = shared / "weights" / "squeezenet1_0-imagenet.safetensors"
    extractor = Backbone(SQUEEZENET, weights).load()
    views = Preparation(extractor.size).view(photo(11, 320, 240))[None]
    with torch.inference_mode():
        features = extractor(torch.from_numpy(views))[0]
    assert features.shape == (1024,)
    channels = torch.tensor([48, 99, 101, 220, 253, 502])
    means = [59.1633, 68.0682, 66.5481, 66.0824, 55.6164, 83.5624]
    greatest = [164.8836, 281.7778, 234.4953, 225.2595, 328.8508, 217.9044]
    assert features[channels].tolist() == pytest.approx(means, rel=2e-4, abs=1e-3)
    assert features[512 + channels].tolist() == pytest.approx(greatest, rel=2e-4, abs=1e-3)


# --- weights that are of no use, and the precision -----------------------------------------------------------------


def spoiled(state: dict[str, torch.Tensor], how: str) -> dict[str, torch.Tensor]:
    first = next(iter(state))
    if how == "one NaN":
        return {
            **state,
            first: state[first].masked_fill(torch.arange(state[first].numel()).view_as(state[first]) == 3, torch.nan),
        }
    change = {
        "NaN": lambda t: torch.full_like(t, torch.nan),
        "infinite": lambda t: torch.full_like(t, torch.inf),
        "zero": torch.zeros_like,
        "int8": lambda t: (t * 100).to(torch.int8),
    }[how]
    return {name: change(tensor) for name, tensor in state.items()}


@pytest.mark.parametrize(
    ("how", "found"),
    [("NaN", "NaN or infinite"), ("one NaN", "NaN"), ("infinite", "infinite"), ("zero", "zeros"), ("int8", "int8")],
)
def test_weights_that_are_of_no_use_are_refused_by_name(tmp_path, small_weights, how, found):
    from safetensors.torch import save_file

    path = tmp_path / "spoiled.safetensors"
    save_file(spoiled(torch.load(small_weights[0], weights_only=True), how), path)
    with pytest.raises(TrainingError, match="of no use") as error:
        Backbone(SQUEEZENET, path).load()
    assert str(path) in error.value.what and found in error.value.found and error.value.fix


@pytest.mark.parametrize(("bias", "found"), [(0.0, "the same embedding"), (float("nan"), "not finite")])
def test_a_network_that_sees_nothing_is_found_out_before_the_first_picture(tmp_path, monkeypatch, bias, found):
    extractor = Backbone("pixels").load()
    with torch.no_grad():
        extractor.mean.fill_(127)
        extractor.scale.zero_()  # all pictures are alike, or none is anything
        extractor.mean.fill_(bias)
    engine = Engine(Backbone("pixels"), Workspace.open(tmp_path))
    monkeypatch.setattr(Backbone, "load", lambda _: extractor)
    with pytest.raises(TrainingError, match="the weights of pixels are of no use") as error:
        engine(np.zeros((1, 64, 64, 3), np.uint8))
    assert found in error.value.found


@pytest.mark.parametrize("ending", [".pt", ".pth", ".bin"])
def test_pickles_are_read_by_no_torch_that_is_unsafe_and_never_advised_to_be(
    tmp_path, small_weights, monkeypatch, ending
):
    class Trap:
        def __reduce__(self):
            return Path.touch, (tmp_path / "sprung",)

    path = tmp_path / f"trap{ending}"
    torch.save({"weight": Trap()}, path)
    with pytest.raises(TrainingError, match="cannot read weights") as error:
        bodies.read_state(path)
    assert "weights_only" not in str(error.value) and not (tmp_path / "sprung").exists()
    good = path.with_name(f"good{ending}")
    good.write_bytes(small_weights[0].read_bytes())
    assert bodies.read_state(good)
    monkeypatch.setattr(torch, "__version__", "2.9.1+cpu")
    with pytest.raises(TrainingError, match="CVE-2026-24747") as error:
        bodies.read_state(good)
    assert "safetensors" in error.value.fix and "weights_only" not in str(error.value)


def test_auto_is_a_rule_of_cpu_and_backbone_and_no_race(tmp_path, monkeypatch):
    assert fast_precision("resnet34.a1_in1k", {"avx512f", "avx512_bf16"}) == "bf16"
    assert fast_precision("resnet34.a1_in1k", {"amx_bf16"}) == "bf16"
    assert fast_precision("resnet34.a1_in1k", {"avx512f", "avx2"}) == "fp32"
    assert fast_precision("pixels", {"avx512_bf16", "amx_bf16"}) == "fp32"
    monkeypatch.setattr("ursa.embed.engine.flags", lambda: frozenset({"avx512_bf16"}))
    monkeypatch.setattr(Backbone, "load", lambda _: pytest.fail("nothing has to be loaded for it"))
    for place in ("one", "other"):
        engine = Engine(Backbone(SQUEEZENET), Workspace.open(tmp_path, tmp_path / place))
        assert engine.precision == "bf16"
    assert Engine(Backbone(SQUEEZENET), Workspace.open(tmp_path), "fp32").precision == "fp32"


def test_threads_that_ask_at_once_load_the_backbone_once(tmp_path, monkeypatch):
    """A `cached_property` has no lock of its own from Python 3.12 on, so it cannot hold the lock."""
    engine, entered = Engine(Backbone("pixels"), Workspace.open(tmp_path), "fp32"), []
    load, views = Backbone.load, engine.about.preparation.blank(1)
    engine = Engine(engine.backbone, engine.space, "fp32")

    def slow(backbone):
        entered.append(1)
        time.sleep(0.05)
        return load(backbone)

    monkeypatch.setattr(Backbone, "load", slow)
    start = threading.Barrier(8)

    def ask():
        start.wait()
        return engine._forward(views)

    with ThreadPoolExecutor(8) as pool:
        found = [future.result() for future in [pool.submit(ask) for _ in range(8)]]
    assert entered == [1]
    assert all(np.array_equal(one, found[0]) for one in found)
