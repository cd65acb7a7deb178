"""Which library computes: what was asked for, else the one that pays; a failure is an error or a note, never a loss."""

import numpy as np
import pytest

from ursa.data.sources.folder_source import from_folder
from ursa.embed import runtime
from ursa.embed.backbone import Backbone
from ursa.embed.engine import Engine
from ursa.embed.one_pass import embed
from ursa.embed.openvino_network import installed, unusable
from ursa.embed.runtime import LARGE_PASS, Runtime
from ursa.errors import DataError, TrainingError
from ursa.prepared.setup import Setup
from ursa.workspace import Workspace

needs_openvino = pytest.mark.skipif(not installed(), reason="OpenVINO is not installed: the extra `fast`")


def by_torch(views: np.ndarray) -> np.ndarray:
    return views.reshape(len(views), -1)[:, :3].astype(np.float32)


def compiled():
    return lambda views: by_torch(views) + 1000


def refused():
    raise unusable("RuntimeError: no such operator")


VIEWS = np.arange(4 * 12, dtype=np.uint8).reshape(4, 2, 2, 3)


def forward(of: Runtime, count: int, made=compiled) -> np.ndarray:
    return of.forward(count, by_torch, made)(VIEWS)


@pytest.fixture
def there(monkeypatch):
    monkeypatch.setattr(runtime.openvino_network, "installed", lambda: True)


@pytest.fixture
def missing(monkeypatch):
    monkeypatch.setattr(runtime.openvino_network, "installed", lambda: False)


@pytest.mark.parametrize(
    ("wanted", "count", "used"),
    [
        ("auto", LARGE_PASS - 1, "torch"),
        ("auto", LARGE_PASS, "openvino"),
        ("torch", 10**6, "torch"),
        ("openvino", 1, "openvino"),
    ],
)
def test_what_is_used(there, wanted, count, used):
    of = Runtime(wanted)
    assert (forward(of, count)[0, 0] >= 1000) == (used == "openvino")
    assert (of.used, of.problem) == (used, None)


def test_without_openvino_torch_computes_and_that_is_no_problem(missing):
    of = Runtime()
    assert np.array_equal(forward(of, 10**6, refused), by_torch(VIEWS))
    assert (of.used, of.problem) == ("torch", None)


def test_what_cannot_be_converted_is_computed_by_torch_and_noted_once(there):
    of, tries = Runtime(), []

    def once():
        tries.append(1)
        return refused()

    for _ in range(2):
        assert np.array_equal(forward(of, 10**6, once), by_torch(VIEWS))
    assert of.used == "torch"
    assert "no such operator" in of.problem
    assert len(tries) == 1


def test_asked_for_by_name_a_failure_is_an_error(there):
    with pytest.raises(TrainingError, match="cannot run this backbone"):
        forward(Runtime("openvino"), 1, refused)


def failing_after(count: int):
    calls = []

    def network(views):
        calls.append(1)
        if len(calls) > count:
            raise RuntimeError("out of memory\nand a page of C++")
        return by_torch(views)

    return lambda: network


def test_a_failure_half_way_is_taken_over_by_torch(there):
    of = Runtime()
    run = of.forward(10**6, by_torch, failing_after(2))
    assert all(np.array_equal(run(VIEWS), by_torch(VIEWS)) for _ in range(5))
    assert of.used == "torch"
    assert of.problem.endswith("RuntimeError: out of memory")


def test_a_failure_half_way_of_what_was_asked_for_is_an_error(there):
    run = Runtime("openvino").forward(1, by_torch, failing_after(2))
    run(VIEWS), run(VIEWS)
    with pytest.raises(TrainingError) as caught:
        run(VIEWS)
    assert caught.value.found == "RuntimeError: out of memory"


@pytest.mark.parametrize("name", ["onnx", "", "OpenVINO"])
def test_other_names_are_refused(name):
    with pytest.raises(DataError, match="no such runtime") as caught:
        Setup(runtime=name)
    assert caught.value.fix == "one of auto, torch, openvino"


def test_openvino_is_not_for_accelerators(monkeypatch):
    monkeypatch.setattr("ursa.prepared.setup.available", lambda name: name)
    with pytest.raises(DataError, match="computes on the CPU"):
        Setup(runtime="openvino", device="cuda")


def test_asked_for_where_it_is_not_installed_the_error_says_how(missing, tmp_path):
    engine = Engine(Backbone("pixels"), Workspace.open(tmp_path), runtime=Runtime("openvino"))
    with pytest.raises(TrainingError, match="cannot run") as caught:
        [*engine.embedded([tmp_path / "a.png"], known=lambda _: False)]
    assert "pip install" in caught.value.fix


@needs_openvino
def test_the_one_pass_gives_the_same_embeddings_either_way(tmp_path, picture_folder):
    """And under one key, so that what one of them computed is not computed again for the other."""
    folder = picture_folder(tmp_path / "pictures", {"red": 9, "blue": 9})
    found = {}
    for name in ("torch", "openvino"):
        engine = Engine(Backbone("pixels"), Workspace.open(tmp_path / name), runtime=Runtime(name))
        found[name] = embed(from_folder(folder), engine)[1]
        assert engine.described()["runtime"] == name
    assert found["torch"].fingerprint == found["openvino"].fingerprint
    assert np.allclose(found["torch"].vectors, found["openvino"].vectors, atol=1e-4)


@needs_openvino
def test_damaged_weights_are_refused_before_they_are_compiled(tmp_path, picture_folder, monkeypatch):
    def damaged(self, _made):
        raise self._unusable("zeros")

    monkeypatch.setattr(Engine, "_try", damaged)
    folder = picture_folder(tmp_path / "pictures", {"red": 2, "blue": 2})
    engine = Engine(Backbone("pixels"), Workspace.open(tmp_path / "space"), runtime=Runtime("openvino"))
    with pytest.raises(TrainingError, match="of no use"):
        embed(from_folder(folder), engine)
