"""Difficult files from the wild, kept outside the repository: each comes out right, or is refused with its reason.

`torture.tsv` says which, for each of the 158: format, upright size, frames and a miniature of 3 x 3 pixels (RGB, in
hex), written down after a person had looked at every picture; or the reason.
"""

import csv
import importlib.util
import warnings
from pathlib import Path

import numpy as np
import pytest

from ursa.core.decoding import image
from ursa.core.prepare import Preparation, resize
from ursa.errors import DataError

HEIC = importlib.util.find_spec("pi_heif") is not None

with (Path(__file__).parent / "torture.tsv").open(encoding="utf-8") as table:
    ROWS = list(csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE))
READABLE = [row for row in ROWS if row["format"]]
REFUSED = [row for row in ROWS if not row["format"]]


@pytest.fixture(scope="module")
def torture(shared) -> Path:
    return shared / "data" / "torture"


def thumbnail(file: Path, at_least: int | None = None, side: int = 16) -> np.ndarray:
    """The upright picture as a few grey values."""
    return resize(image.read(file.read_bytes(), at_least).pixels, side, side).mean(2)


def test_the_table_has_every_file_of_the_manifest(torture):
    with (torture / "MANIFEST.tsv").open(encoding="utf-8") as manifest:
        names = [row["file"] for row in csv.DictReader(manifest, delimiter="\t", quoting=csv.QUOTE_NONE)]
    assert [row["file"] for row in ROWS] == names
    assert (len(READABLE), len(REFUSED)) == (121, 37)


@pytest.mark.parametrize("row", READABLE, ids=lambda row: row["file"].split("/")[-1][:40])
def test_what_can_be_read_comes_out_right(torture, row):
    if row["format"] == "HEIC" and not HEIC:
        pytest.skip("the extra `heic` (pi-heif) is not installed")
    data = (torture / row["file"]).read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picture = image.read(data)
    assert picture.pixels.dtype == np.uint8
    assert picture.pixels.shape == (picture.height, picture.width, 3)
    expected = (row["format"], int(row["width"]), int(row["height"]), int(row["frames"]))
    assert (picture.format, picture.width, picture.height, picture.frames) == expected
    golden = np.frombuffer(bytes.fromhex(row["miniature or reason"]), np.uint8).reshape(3, 3, 3).astype(int)
    for pixels in (picture.pixels, image.read(data, 64).pixels):
        assert np.abs(resize(pixels, 3, 3) - golden).max() <= 6  # decoders may round differently
    assert Preparation(64).view(picture.pixels).shape == (64, 64, 3)


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row["file"].split("/")[-1][:40])
@pytest.mark.parametrize("at_least", [None, 224])
def test_what_cannot_is_refused_with_its_reason(torture, row, at_least):
    with warnings.catch_warnings(), pytest.raises(DataError) as error:
        warnings.simplefilter("error")
        image.read((torture / row["file"]).read_bytes(), at_least)
    assert error.value.what == row["miniature or reason"]


def test_without_a_decoder_for_heic_the_reason_says_what_to_install(torture, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pi_heif.as_plugin", None)
    heic = [row["file"] for row in ROWS if row["format"] == "HEIC"]
    assert len(heic) == 3
    for name in heic:
        with pytest.raises(DataError, match=r"^needs a decoder: HEIC .*pip install 'ursa-learn\[heic\]'"):
            image.read((torture / name).read_bytes())


@pytest.mark.parametrize(
    ("pattern", "count", "most"),
    [("*Landscape_*", 3, 0.5), ("pillow__hopper_orientation_*", 9, 2.0), ("libvips__?.jpg", 8, 3.0)],
)
@pytest.mark.parametrize("at_least", [None, 32])
def test_turned_twins_look_like_each_other_when_upright(torture, pattern, count, most, at_least):
    """Mean distance of grey values, of 255; pictures that are turned differently are 20 and more apart."""
    files = sorted((torture / "exif_rotated").glob(pattern))
    assert len(files) == count
    small = [thumbnail(file, at_least) for file in files]
    assert max(np.abs(one - small[0]).mean() for one in small) < most
    turned = (small[0][::-1], small[0][:, ::-1], small[0][::-1, ::-1], small[0].T)
    assert min(np.abs(small[0] - other).mean() for other in turned) > 20


@pytest.mark.parametrize(
    ("one", "other", "most"),
    [
        ("cmyk_ycck_lab/pillow__hopper.Lab.tif", "exif_rotated/pillow__hopper_orientation_2.jpg", 3),
        ("heic_avif_webp_other/pillow__hopper.heif", "exif_rotated/pillow__hopper_orientation_2.jpg", 3),
        ("cmyk_ycck_lab/pillow__tiff_strip_cmyk_jpeg.tif", "cmyk_ycck_lab/pillow__pil_sample_cmyk.jpg", 1),
        ("cmyk_ycck_lab/pillow__tiff_tiled_cmyk_jpeg.tif", "cmyk_ycck_lab/pillow__pil_sample_cmyk.jpg", 1),
        ("heic_avif_webp_other/libvips__sample-xyb.jpg", "alpha_palette_gray/libvips__indexed.png", 8),
        ("alpha_palette_gray/libvips__trans-x.gif", "alpha_palette_gray/libvips__trans-x.png", 1),
        ("exif_rotated/exif_samples__portrait_6.jpg", "exif_rotated/libvips__6.jpg", 8),
        ("sixteen_bit_float/pillow__16bit.cropped.jp2", "sixteen_bit_float/pillow__16bit.cropped.tif", 0),
        ("sixteen_bit_float/pillow__16bit.MM.deflate.tif", "sixteen_bit_float/pillow__16bit.cropped.tif", 0),
    ],
)
def test_the_same_picture_in_other_formats_colors_and_depths_looks_the_same(torture, one, other, most):
    if one.endswith(".heif") and not HEIC:
        pytest.skip("the extra `heic` (pi-heif) is not installed")
    colors = [resize(image.read((torture / name).read_bytes()).pixels, 16, 16).astype(int) for name in (one, other)]
    assert np.abs(colors[0] - colors[1]).mean() <= most
