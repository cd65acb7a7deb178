"""A real, tiny bundle, made without torch: logits from the mean colour, so a red picture is "red"."""

import contextlib
import io
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from ursa.core.bundles import bundle
from ursa.serve import run
from ursa.serve.limits import Limits
from ursa.serve.predictor import Predictor

SIZE = 16
COLORS = ("blue", "green", "red")


def color_model(classes: int = 3) -> bytes:
    """pictures [N, S, S, 3] uint8 -> logits [N, K]: 12 times the mean of blue, green, red; further classes get less."""
    weights = np.zeros((3, classes), np.float32)
    for k in range(classes):
        weights[(2, 1, 0)[k % 3], k] = 12.0 / (1 + k // 3)
    nodes = [
        helper.make_node("Cast", ["pictures"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["floats"], ["means"], axes=[1, 2], keepdims=0),
        helper.make_node("Div", ["means", "white"], ["shares"]),
        helper.make_node("MatMul", ["shares", "weights"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("pictures", TensorProto.UINT8, ["N", SIZE, SIZE, 3])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", classes])],
        [numpy_helper.from_array(np.float32(255), "white"), numpy_helper.from_array(weights, "weights")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def bundle_files(classes: Sequence[str] = COLORS, logits: int | None = None, **changes: Any) -> dict[str, bytes]:
    document = {
        "classes": list(classes),
        "preparation": {"size": SIZE, "fit": "pad"},
        "temperature": 1.0,
        "metrics": {"accuracy": {"value": 0.948, "low": 0.93, "high": 0.961, "method": "cross-validated"}},
        "training": {"backbone": "colours"},
        "versions": {"ursa": "0.1.0"},
        **changes,
    }
    empty = (2).to_bytes(8, "little") + b"{}"  # a safetensors file without tensors
    parts = {
        "model.onnx": color_model(logits or len(classes) or 1),
        "weights.safetensors": empty,
        "card.md": b"# Colours\n",
    }
    return {"bundle.json": bundle.manifest(document, parts), **parts}


def pack(files: dict[str, bytes], path: Path) -> Path:
    if path.suffix == ".ursa":
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in files.items():
                archive.writestr(name, data)
        return path
    path.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (path / name).write_bytes(data)
    return path


def paint(color: str = "red", size: tuple[int, int] = (64, 48), kind: str = "JPEG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, color).save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.fixture(scope="session", name="bundle_files")
def _bundle_files() -> Callable[..., dict[str, bytes]]:
    return bundle_files


@pytest.fixture(scope="session", name="pack")
def _pack() -> Callable[..., Path]:
    return pack


@pytest.fixture(scope="session", name="paint")
def _paint() -> Callable[..., bytes]:
    return paint


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pack(bundle_files(), tmp_path_factory.mktemp("bundle") / "colours.ursa")


@pytest.fixture(scope="session")
def predictor(packed: Path) -> Predictor:
    return Predictor(packed)


@pytest.fixture
def serving() -> Iterator[Callable[..., str]]:
    """serving(predictor, **options) -> the address of a real server, which ends with the test; limits are options."""
    with servers() as start:
        yield start


@pytest.fixture(scope="module")
def shared_server(predictor: Predictor) -> Iterator[str]:
    """The address of one server, with default limits, for all tests of a file."""
    with servers() as start:
        yield start(predictor)


@contextlib.contextmanager
def servers() -> Iterator[Callable[..., str]]:
    stops: list[Callable[[], None]] = []
    names = {field.name for field in fields(Limits)}

    def start(predictor: Predictor, host: str = "127.0.0.1", **options: Any) -> str:
        ready, address = threading.Event(), []
        listener = run.listen(host, 0)
        limits = Limits(**{name: options.pop(name) for name in names & set(options)})
        options["ready"] = lambda url: (address.append(url), ready.set())
        server = run.server(predictor, listener, limits=limits, **options)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()

        def stop() -> None:
            server.should_exit = True
            thread.join(10)
            assert not thread.is_alive()

        stops.append(stop)
        assert ready.wait(10)
        return address[0]

    try:
        yield start
    finally:
        for stop in stops:
            stop()
