"""A real, tiny bundle, made without torch: logits from the mean colour, so a red picture is "red"."""

import contextlib
import io
import threading
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fuzz import tiny
from ursa.core.bundles import bundle
from ursa.serve import run
from ursa.serve.limits import ServerLimits
from ursa.serve.predictor import Predictor

SIZE, COLORS = tiny.SIZE, tiny.CLASSES


def bundle_files(
    classes: Sequence[str] = COLORS, logits: int | None = None, examples: Sequence[bytes] = (), **changes: Any
) -> dict[str, bytes]:
    """examples: JPEG files, which become the bundle's example pictures."""
    shown = {f"example-{number}.jpg": jpeg for number, jpeg in enumerate(examples)}
    document = {
        "classes": list(classes),
        "preparation": {"size": SIZE, "fit": "pad"},
        "temperature": 1.0,
        "metrics": {"accuracy": {"value": 0.948, "low": 0.93, "high": 0.961, "method": "cross-validated"}},
        "training": {"backbone": "colours"},
        "versions": {"ursa": "0.1.0"},
        **({"examples": [{"part": part, "label": ""} for part in shown]} if shown else {}),
        **changes,
    }
    empty = (2).to_bytes(8, "little") + b"{}"  # a safetensors file without tensors
    parts = {
        "model.onnx": tiny.model(classes=logits or len(classes) or 1),
        "weights.safetensors": empty,
        "card.md": b"# Colours\n",
        **shown,
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
    names = {field.name for field in fields(ServerLimits)}

    def start(predictor: Predictor, host: str = "127.0.0.1", **options: Any) -> str:
        ready, address = threading.Event(), []
        listener = run.listen(host, 0)
        limits = ServerLimits(**{name: options.pop(name) for name in names & set(options)})
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
