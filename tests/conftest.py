"""What tests share: pictures made on the spot, the shared data where it is there, small disks and other users.

photo(seed, width, height)                 a synthetic photo, [height, width, 3] uint8
encode(pixels, "JPEG", quality=90)         pixels or a Pillow image -> bytes of a file
picture_folder(root, {"red": 12, ...})     class folders full of small pictures that are easy to tell apart
shared                                     the folder of shared data and weights; the test is skipped without it
forked.run(["ursa", "check", ...], cwd)    a process of its own, with imports already done
disk("1m"), disk("1m", read_only=True)     a file system of its own, unmounted at the end
as_another_user()                          a block in which this process may not do everything
browser                                    Debian's Chromium, driven by Playwright; the test is skipped without either
"""

import contextlib
import hashlib
import io
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image, ImageColor

from tests.forked import Forked

settings.register_profile("ursa", deadline=None)  # a timing is never a test
settings.load_profile("ursa")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell starts what runs in its background
    signal.signal(signal.SIGINT, signal.default_int_handler)

QUIET = [  # Chromium asks nobody anything by itself
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session", autouse=True)
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What Ursa keeps for its user lies in a folder of the tests, for the processes that they start too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="session")
def forked() -> Iterator[Forked]:
    processes = Forked()
    yield processes
    processes.close()


@pytest.fixture(scope="session")
def shared() -> Path:
    if not (SHARED / "data").is_dir():
        pytest.skip("the shared data are not beside this checkout")
    return SHARED


@pytest.fixture(scope="session")
def photo() -> Callable[..., np.ndarray]:
    """photo(seed=0, width=320, height=240, noise=6): large soft shapes, finer ones on them, and the camera's noise."""
    return _photo


@pytest.fixture(scope="session")
def encode() -> Callable[..., bytes]:
    """encode(pixels, format="PNG", **options of Pillow's save) -> bytes."""

    def of(pixels: np.ndarray | Image.Image, format: str = "PNG", **options) -> bytes:
        buffer = io.BytesIO()
        picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
        picture.save(buffer, format, **options)
        return buffer.getvalue()

    return of


@pytest.fixture(scope="session")
def picture_folder() -> Callable[..., Path]:
    """picture_folder(root, {"red": 12, "green": 12}, seed=0, side=48) -> root, with root/red/red_000.jpg and so on.

    The number after each class says how many pictures it gets; "train/red" makes a split. JPEG and PNG alternate. A
    class is a tint (the colour that its last part names, else one made from the name) over a texture that is different
    in each picture, so that classes are easy to tell apart and no two pictures are alike. The same seed gives the same
    files, byte for byte.
    """

    def write(root: Path, classes: Mapping[str, int], *, seed: int = 0, side: int = 48) -> Path:
        for place, count in classes.items():
            folder, name = root / place, place.rsplit("/", 1)[-1]
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(count):
                key = int.from_bytes(hashlib.sha256(f"{seed} {place} {number}".encode()).digest()[:8], "big")
                texture = _photo(key, side, side + number % 3 * 8)
                tinted = (0.55 * texture + 0.45 * np.array(_color(name))).round().astype(np.uint8)
                ending = "jpg" if number % 2 == 0 else "png"
                Image.fromarray(tinted).save(folder / f"{name}_{number:03}.{ending}")
        return root

    return write


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """disk(size, read_only=False, holding=prepare) -> a folder on a file system of its own (Linux, root; else skips).

    `holding` is called with the folder while it can still be written to.
    """
    mounted: list[Path] = []

    def mount(size: str, *, read_only: bool = False, holding: Callable[[Path], object] | None = None) -> Path:
        place = tmp_path / f"disk{len(mounted)}"
        place.mkdir()
        _mount(["-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)])
        mounted.append(place)
        if holding is not None:
            holding(place)
        if read_only:
            _mount(["-o", "remount,ro", str(place)])
        return place

    try:
        yield mount
    finally:
        for place in mounted:
            subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.fixture
def as_another_user() -> Callable[[], contextlib.AbstractContextManager[None]]:
    """`with as_another_user():` runs as nobody when the tests run as root, so that permissions mean something."""

    @contextlib.contextmanager
    def switched() -> Iterator[None]:
        if not hasattr(os, "geteuid"):
            pytest.skip("this system has no users to switch to")
        if os.geteuid() != 0:
            yield
            return
        try:
            os.seteuid(65534)
        except PermissionError:
            pytest.skip("this root may not become another user")
        try:
            yield
        finally:
            os.seteuid(0)

    return switched


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright, program = pytest.importorskip("playwright.sync_api"), shutil.which("chromium")
    if program is None:
        pytest.skip("needs the program chromium")
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=program, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture
def public_path(tmp_path: Path) -> Path:
    """A folder that any user may look into, unlike pytest's own."""
    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & 0o001:
            folder.chmod(0o755)
    return tmp_path


def _photo(seed: int = 0, width: int = 320, height: int = 240, noise: float = 6) -> np.ndarray:
    rng = np.random.default_rng(seed)
    total = np.full((height, width, 3), 128.0)
    for cells, contrast in ((4, 60), (12, 25)):
        coarse = rng.normal(0, contrast, (cells, cells, 3)).clip(-120, 120)
        layers = [Image.fromarray(coarse[..., c].astype(np.float32)) for c in range(3)]
        total += np.stack([layer.resize((width, height), Image.Resampling.BICUBIC) for layer in layers], axis=2)
    return (total + rng.normal(0, noise, total.shape)).clip(0, 255).astype(np.uint8)


def _color(name: str) -> tuple[int, ...]:
    if name.lower() in ImageColor.colormap:
        return ImageColor.getrgb(name)[:3]
    return tuple(hashlib.sha256(name.encode()).digest()[:3])


def _mount(arguments: list[str]) -> None:
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounting a disk for the test needs root on Linux")
    done = subprocess.run(["mount", *arguments], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"cannot mount a disk here: {done.stderr.strip()}")
