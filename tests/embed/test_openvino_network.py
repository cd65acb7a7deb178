"""OpenVINO computes what torch does, whatever the backbone, the number of pictures and the thread; or says why not."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import nn

from ursa.embed import openvino_network
from ursa.embed.backbone import Backbone
from ursa.embed.extractor import Extractor
from ursa.embed.openvino_network import OpenVINONetwork
from ursa.errors import TrainingError

pytestmark = pytest.mark.skipif(not openvino_network.installed(), reason="OpenVINO is not installed: the extra `fast`")

FAMILIES = ("resnet10t.c3_in1k", "mobilenetv3_small_050.lamb_in1k", "convnext_atto.d2_in1k", "test_vit.r160_in1k")


def views(count: int, size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def by_torch(extractor: nn.Module, pictures: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return extractor(torch.from_numpy(pictures)).numpy()


def cosines(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    return (ours * theirs).sum(1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(theirs, axis=1)


def small(layer: nn.Module | None = None) -> Extractor:
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(3, 8, 3, 2), layer or nn.ReLU(), nn.Conv2d(8, 16, 3, 2))
    return Extractor(body, (0.5,) * 3, (0.2,) * 3, 32).eval()


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return small()


@pytest.fixture(scope="module")
def network(extractor) -> OpenVINONetwork:
    return OpenVINONetwork(extractor, "fp32", 4)


@pytest.mark.parametrize("name", [*FAMILIES, "pixels"])
def test_embeddings_are_those_of_torch(name):
    extractor = Backbone(name).load(pretrained=name == "pixels")
    pictures = views(3, extractor.size, seed=1)
    ours = OpenVINONetwork(extractor, "fp32", 4)(pictures)
    assert ours.dtype == np.float32
    assert cosines(ours, by_torch(extractor, pictures)).min() > 0.9999


def test_bf16_is_as_near_to_float32_as_bf16_of_torch(extractor):
    pictures = views(4, 32, seed=2)
    exact = by_torch(extractor, pictures)
    ours = OpenVINONetwork(extractor, "bf16", 4)(pictures)
    theirs = by_torch(small().in_precision(torch.bfloat16), pictures)
    assert 1 - cosines(ours, exact).min() <= 2 * (1 - cosines(theirs, exact).min()) + 1e-6


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_a_picture_s_vector_does_not_depend_on_those_beside_it(network, count):
    pictures = views(4, 32, seed=3)
    assert np.array_equal(network(pictures[:count]), network(pictures)[:count])
    assert np.array_equal(network(pictures[::-1])[::-1], network(pictures))


def test_the_extractor_is_only_read(extractor):
    before = {name: tensor.clone() for name, tensor in extractor.state_dict().items()}
    OpenVINONetwork(extractor, "bf16", 4)
    after = extractor.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert extractor.precision is torch.float32


def test_results_are_the_caller_s_own(network):
    first = network(views(4, 32, seed=4))
    copy = first.copy()
    network(views(4, 32, seed=5))
    assert np.array_equal(first, copy)


def test_threads_do_not_disturb_each_other(network):
    batches = [views(1 + i % 4, 32, seed=i) for i in range(64)]
    with ThreadPoolExecutor(4) as pool:
        at_once = [*pool.map(network, batches)]
    for one, batch in zip(at_once, batches, strict=True):
        assert np.array_equal(one, network(batch))


def test_pictures_need_not_lie_in_one_piece(network):
    pictures = views(4, 64, seed=6)[:, ::2, ::2]
    assert np.array_equal(network(pictures), network(pictures.copy()))


class Unknown(torch.autograd.Function):
    @staticmethod
    def forward(context, values):  # noqa: ARG004
        return torch.from_numpy(np.sort(values.numpy(), axis=-1))


class Sorted(nn.Module):
    def forward(self, values):
        return Unknown.apply(values)


def test_what_cannot_be_converted_is_one_error_with_its_reason():
    with pytest.raises(TrainingError, match=r"OpenVINO .* cannot run this backbone") as caught:
        OpenVINONetwork(small(Sorted()), "fp32", 4)
    assert caught.value.found
    assert caught.value.fix == "--runtime torch"


class Drifting(nn.Module):
    """Computes something else each time: what was traced is not what it does now."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, values):
        self.calls += 1
        return values * torch.linspace(1, -1, 8)[:, None, None] ** self.calls


def test_a_network_that_computes_something_else_is_refused():
    with pytest.raises(TrainingError, match="cannot run") as caught:
        OpenVINONetwork(small(Drifting()), "fp32", 4)
    assert "cosine" in caught.value.found


def test_a_network_of_nan_is_refused():
    broken = small()
    with torch.no_grad():
        broken.body[0].weight.fill_(torch.nan)
    with pytest.raises(TrainingError, match="cannot run"):
        OpenVINONetwork(broken, "fp32", 4)


def test_its_makers_are_not_told():
    """OpenVINO's converter reports its use over the network where the package for that is there to be imported."""
    script = """
import sys
import torch
from torch import nn
from ursa.embed.extractor import Extractor
from ursa.embed.openvino_network import OpenVINONetwork
OpenVINONetwork(Extractor(nn.Conv2d(3, 4, 3), (0.5,) * 3, (0.2,) * 3, 16).eval(), "fp32", 2)
import openvino.tools.ovc
told = [name for name, module in sys.modules.items() if name.startswith("openvino_telemetry") and module is not None]
print(told, openvino.tools.ovc.telemetry.__class__.__module__)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "[] openvino.tools.ovc.telemetry_stub"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="alternate signal stacks of Linux")
def test_ctrl_c_is_caught_after_networks_were_made_and_freed_in_other_threads():
    """On processors with AMX it sets a signal stack, and frees it with its last network: the next signal had none."""
    program = """
import gc, os, signal
from concurrent.futures import ThreadPoolExecutor
from ursa.embed.backbone import Backbone
from ursa.embed.openvino_network import OpenVINONetwork

extractor = Backbone("pixels").load()
for number in range(3):
    network = [OpenVINONetwork(extractor, "fp32", 1)]
    with ThreadPoolExecutor(1) as pool:
        pool.submit(network.clear).result()
gc.collect()
try:
    os.kill(os.getpid(), signal.SIGINT)
    signal.pause()
except KeyboardInterrupt:
    print("caught")
"""
    done = subprocess.run([sys.executable, "-X", "faulthandler", "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "caught\n"), done.stderr[-2000:]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="alternate signal stacks of Linux")
def test_a_thread_keeps_its_signal_stack():
    import ctypes

    from ursa.core.signal_stack import _Stack, own_signal_stack

    system, mine = ctypes.CDLL(None), ctypes.create_string_buffer(1 << 16)

    def stack():
        now = _Stack()
        assert system.sigaltstack(None, ctypes.byref(now)) == 0
        return now.sp, now.flags, now.size

    before = stack()
    with own_signal_stack():
        other = _Stack(ctypes.addressof(mine), 0, len(mine))
        assert system.sigaltstack(ctypes.byref(other), None) == 0
        assert stack()[0] == ctypes.addressof(mine)
    assert stack() == before
