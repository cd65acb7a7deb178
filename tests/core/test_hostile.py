"""Damaged and hostile files: a picture or a DataError, nothing else, and never grey where something is missing."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ursa.core.decoding import image
from ursa.errors import DataError

KINDS = {
    "JPEG": {},
    "progressive JPEG": {"progressive": True},
    "restarting JPEG": {"restart_marker_rows": 1},
    "PNG": {},
    "GIF": {},
    "WEBP": {},
    "lossless WEBP": {"lossless": True},
    "BMP": {},
    "TIFF": {},
    "packed TIFF": {"compression": "tiff_lzw"},
    "PPM": {},
    "AVIF": {},
    "JPEG2000": {},
    "ICO": {},
}


@pytest.fixture(scope="module")
def sample(encode, photo):
    """sample(kind) -> bytes of a small photo."""
    return lambda kind: encode(photo(1, 64, 48), kind.split()[-1], **KINDS[kind])


def damaged(data: bytes, rng: np.random.Generator) -> bytes:
    """One of: other bytes here and there, two parts swapped, a part missing, a part twice, zeros, an end cut off."""
    out = bytearray(data)
    a, b = sorted(int(n) for n in rng.integers(0, len(data), 2))
    match rng.integers(6):
        case 0:
            for place in rng.integers(0, len(out), rng.integers(1, 12)):
                out[place] = rng.integers(256)
        case 1:
            for place in rng.integers(0, min(len(out), 64), rng.integers(1, 4)):  # the header
                out[place] ^= 1 << int(rng.integers(8))
        case 2:
            out = out[b:] + out[a:b] + out[:a] if rng.random() < 0.1 else out[:a] + out[b:] + out[a:b]
        case 3:
            out = out[:a] + out[b:]
        case 4:
            out = out[:b] + out[a:b] + out[b:]
        case 5:
            out = out[:b] if rng.random() < 0.5 else out[:a] + bytes(b - a) + out[b:]
    return bytes(out)


@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_off_file_is_refused_or_is_the_whole_picture_and_nothing_between(sample, kind):
    """Nothing is filled up with grey. (The last bytes of some formats carry no pixels.)"""
    data = sample(kind)
    whole = image.read(data).pixels
    refused = 0
    ends = np.unique(np.linspace(0, len(data) - 1, 250).astype(int)) if len(data) > 400 else range(len(data))
    for end in ends:
        for at_least in (None, 4):
            try:
                pixels = image.read(data[:end], at_least).pixels
            except DataError as error:
                refused += 1
                assert error.what
            else:
                assert at_least or np.array_equal(pixels, whole), f"the first {end} of {len(data)} bytes"
    assert refused > 1.5 * len(ends)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.endswith("JPEG")])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_in_which_a_part_is_missing_is_not_filled_up_with_gray(encode, photo, kind, mode):
    """libjpeg goes on behind the gap and only warns; Pillow says nothing at all."""
    bands = [Image.fromarray(photo(seed, 320, 240)[..., 0]) for seed in range(len(mode))]
    data = encode(Image.merge(mode, bands), "JPEG", **KINDS[kind])
    start = data.rfind(b"\xff\xda")
    for first, last in ((0.2, 0.8), (0.5, 1.0), (0.7, 0.9)):
        a, b = (start + 20 + int((len(data) - start - 24) * part) for part in (first, last))
        with pytest.raises(DataError, match=r"^(truncated|unreadable): "):
            image.read(data[:a] + b"\xff\xd9" + (b"" if last == 1 else data[b:]))


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_are_refused_or_read_and_nothing_else_happens(sample, kind):
    data, rng = sample(kind), np.random.default_rng(0)
    for number in range(60):
        try:
            picture = image.read(damaged(data, rng), 16 if number % 2 else None)
        except DataError as error:
            assert error.what
        else:
            assert picture.pixels.dtype == np.uint8 and picture.pixels.shape[2] == 3 and picture.frames >= 1


UNDER_A_LIMIT = """
import resource, sys, time
from pathlib import Path
import numpy as np
import simplejpeg
from PIL import Image
sys.path.insert(0, sys.argv[1])
from test_hostile import damaged
from ursa.core.decoding import image
from ursa.errors import DataError

Image.init()
resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
rng, slowest = np.random.default_rng(int(sys.argv[4])), 0.0
for file in sorted(Path(sys.argv[2]).iterdir()):
    for _ in range(int(sys.argv[3])):
        start = time.perf_counter()
        try:
            image.read(damaged(file.read_bytes(), rng))
        except DataError:
            pass
        slowest = max(slowest, time.perf_counter() - start)
status = Path("/proc/self/status")  # of this program alone; ru_maxrss begins with what the tests' own process has
lines = status.read_text().splitlines() if status.exists() else []
peak = next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), None)
print((peak or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) // 1024, round(slowest, 2))
"""


@pytest.mark.slow
def test_no_damaged_file_takes_much_memory(sample, tmp_path):
    """Measured on 42,000 files: a damaged header may claim 80 megapixels, 1.2 GB in WebP, whose decoder keeps three."""
    pytest.importorskip("resource")
    for kind in KINDS:
        (tmp_path / kind).write_bytes(sample(kind))
    script = [sys.executable, "-c", UNDER_A_LIMIT, str(Path(__file__).parent), str(tmp_path), "300", "1"]
    done = subprocess.run(script, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]
    megabytes, _slowest = done.stdout.split()
    assert int(megabytes) < 1500
