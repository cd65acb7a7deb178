"""Difficult files from the wild, kept outside the repository: each is read, or refused with a reason."""

import csv
import warnings
from pathlib import Path

import numpy as np
import pytest

from ursa.core import image
from ursa.core.prepare import Preparation, resize
from ursa.errors import DataError

READABLE = 118  # of them, with the decoders of Pillow 13; a newer Pillow may add to them


@pytest.fixture(scope="module")
def torture(shared) -> dict[str, Path]:
    """Path in the manifest -> file."""
    folder = shared / "data" / "torture"
    with (folder / "MANIFEST.tsv").open(encoding="utf-8") as manifest:
        names = [row["file"] for row in csv.DictReader(manifest, delimiter="\t", quoting=csv.QUOTE_NONE)]
    return {name: folder / name for name in names}


def miniature(file: Path, at_least: int | None = None) -> np.ndarray:
    """The upright picture as 16 x 16 grey values."""
    pixels = image.read(file.read_bytes(), at_least).pixels
    return resize(pixels, 16, 16).mean(2)


@pytest.mark.parametrize("at_least", [None, 224])
def test_every_difficult_file_is_read_or_refused_with_its_reason_in_silence(torture, at_least):
    read, refused = [], {}
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for name, file in torture.items():
            try:
                picture = image.read(file.read_bytes(), at_least)
            except DataError as error:
                refused[name] = error.what
            else:
                read.append(name)
                assert picture.pixels.dtype == np.uint8, name
                assert picture.pixels.ndim == 3 and picture.pixels.shape[2] == 3 and picture.pixels.size > 0, name
                if at_least is None:
                    assert picture.pixels.shape[:2] == (picture.height, picture.width), name
    assert [str(one.message) for one in said] == []
    assert len(read) + len(refused) == len(torture) == 158
    assert len(read) >= READABLE
    reasons = ("not a picture: ", "truncated: ", "too large: ", "unreadable: a damaged ")
    assert [name for name, what in refused.items() if not what.startswith(reasons)] == []


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("truncated_corrupt/sharp__truncated.jpg", "truncated: the JPEG file ends too early"),
        ("truncated_corrupt/sharp__truncated.png", "truncated: the PNG file ends too early"),
        ("truncated_corrupt/libvips__truncated.gif", "truncated: the GIF file ends too early"),
        ("truncated_corrupt/pillow__ultrahdr.jpg", "truncated: the JPEG file ends too early"),
        ("bombs_huge/sharp__65536-uint32-limit.png", "too large: 65536 x 65536 pixels"),
        ("bombs_huge/pillow__reallybig.bmp", "too large: 3000000 x 2000000 pixels"),
        ("bombs_huge/pillow__decompression_bomb.gif", "too large"),
        ("heic_avif_webp_other/libvips__blankpage.pdf", "not a picture: a PDF document"),
        ("heic_avif_webp_other/libvips__logo.svg", "not a picture: an SVG drawing"),
        ("heic_avif_webp_other/libvips__logo.svgz", "not a picture: gzip-compressed"),
        ("heic_avif_webp_other/pillow__hopper.psd", "not a picture: a Photoshop document"),
        ("heic_avif_webp_other/pillow__hopper.heif", "not a picture: HEIC"),
        ("web_scraped_oddities/bears_ddg3__grizzly__00000138.jpg?w=1024", "not a picture: an HTML page"),
        ("web_scraped_oddities/sports22__football__00000092.aspx", "not a picture: an empty file"),
    ],
)
def test_the_reason_is_the_right_one(torture, name, reason):
    with pytest.raises(DataError) as error:
        image.read(torture[name].read_bytes(), 224)
    assert error.value.what.startswith(reason)


@pytest.mark.parametrize(
    ("pattern", "count", "most"),
    [("*Landscape_*", 3, 0.5), ("pillow__hopper_orientation_*", 9, 2.0), ("libvips__?.jpg", 8, 3.0)],
)
@pytest.mark.parametrize("at_least", [None, 32])
def test_turned_twins_look_like_each_other_when_upright(torture, pattern, count, most, at_least):
    """Mean distance of grey values, of 255; pictures that are turned differently are 20 and more apart."""
    folder = next(iter(torture.values())).parent
    files = sorted(folder.glob(pattern))
    assert len(files) == count
    small = [miniature(file, at_least) for file in files]
    apart = [np.abs(one - small[0]).mean() for one in small]
    assert max(apart) < most
    turned = (small[0][::-1], small[0][:, ::-1], small[0][::-1, ::-1], small[0].T)
    assert min(np.abs(small[0] - other).mean() for other in turned) > 20


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("exif_rotated/pillow__g4_orientation_6.tif", (590, 88)),  # one long line of writing
        ("exif_rotated/exif_samples__portrait_6.jpg", (450, 600)),
        ("exif_rotated/pillow__rot1mir0.avif", (640, 427)),
        ("exif_rotated/pillow__empty_gps_ifd.jpg", (10, 10)),
    ],
)
def test_width_and_height_are_those_of_the_upright_picture(torture, name, size):
    picture = image.read(torture[name].read_bytes())
    assert (picture.width, picture.height) == size


@pytest.mark.parametrize(
    ("name", "colour"),
    [
        ("cmyk_ycck_lab/pillow__pil_sample_cmyk.jpg", [0, 0, 0]),  # black where no red letters are, not inverted
        ("cmyk_ycck_lab/pillow__lab-green.tif", [0, 152, 117]),
        ("alpha_palette_gray/libvips__trans-x.png", [255, 255, 255]),
        ("alpha_palette_gray/libvips__trans-x.gif", [255, 255, 255]),
    ],
)
def test_colours_of_difficult_kinds(torture, name, colour):
    pixels = image.read(torture[name].read_bytes()).pixels
    assert np.abs(pixels[-1, -1].astype(int) - colour).max() <= 8


def test_a_view_of_every_readable_file_can_be_made(torture):
    views = 0
    for file in torture.values():
        try:
            pixels = image.read(file.read_bytes(), 64).pixels
        except DataError:
            continue
        view = Preparation(64).view(pixels)
        assert view.shape == (64, 64, 3) and view.dtype == np.uint8
        views += 1
    assert views >= READABLE
