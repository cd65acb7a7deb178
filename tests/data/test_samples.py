"""The data sets that come along: real digits, and bears that are drawn."""

import subprocess
import sys

import numpy as np
import pytest

from ursa.core.decoding import image
from ursa.data.near_duplicates import near_duplicates
from ursa.data.samples import bears, digits
from ursa.data.scanning import scanned
from ursa.data.sources.folder_source import from_folder
from ursa.errors import DataError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return digits(tmp_path_factory.mktemp("digits") / "deep" / "digits")


def test_all_digits_are_written_in_two_parts_with_their_labels(folder):
    from sklearn.datasets import load_digits

    catalog = from_folder(folder)
    assert len(catalog) == 1797
    assert catalog.labels.names == tuple("0123456789")
    wanted = {str(digit): int(count) for digit, count in enumerate(np.bincount(load_digits().target))}
    assert catalog.counts() == wanted
    assert set(catalog.rows["split"]) == {"train", "test"}
    assert 0.17 < len(catalog.of_split("test")) / 1797 < 0.23
    assert catalog.of_split("test").labels == catalog.of_split("train").labels == catalog.labels


def test_every_digit_can_be_read_and_is_dark_ink_on_white(folder):
    pictures = [image.read(file.read_bytes()) for file in from_folder(folder).files()]
    assert {(picture.format, picture.pixels.shape) for picture in pictures} == {("PNG", (32, 32, 3))}
    corners = np.array([picture.pixels[0, 0, 0] for picture in pictures])
    assert np.median(corners) > 240 and np.mean([picture.pixels.min() for picture in pictures]) < 40


def test_the_same_seed_puts_the_same_digits_aside(tmp_path, folder):
    again = digits(tmp_path)
    assert from_folder(again).ids == from_folder(folder).ids


def test_drawn_bears_are_three_classes_of_readable_pictures_no_two_alike(tmp_path):
    catalog = scanned(from_folder(bears(tmp_path) / "bears"))
    assert catalog.counts() == {"black": 12, "brown": 12, "white": 12} and len(catalog.readable()) == 36
    assert from_folder(tmp_path / "other-bears").counts() == {"black": 4, "brown": 4, "white": 4}
    assert not len(near_duplicates(catalog).pairs)
    assert catalog.rows["sha256"].n_unique() == 36
    assert image.read((tmp_path / "picture.jpg").read_bytes()).pixels.ndim == 3


def test_the_seed_decides_every_byte_of_the_bears(tmp_path):
    one, same, other = (
        bears(tmp_path / name, each=2, others=1, seed=seed) for name, seed in zip("abc", (3, 3, 4), strict=True)
    )
    contents = [
        {str(file.relative_to(place)): file.read_bytes() for file in place.rglob("*.jpg")}
        for place in (one, same, other)
    ]
    assert contents[0] == contents[1] and len(contents[0]) == 3 * 3 + 1
    assert all(contents[0][name] != contents[2][name] for name in contents[0])


def test_as_a_command_it_never_writes_over_pictures_of_ones_own(tmp_path):
    (tmp_path / "other-bears").mkdir()
    with pytest.raises(DataError, match="is there already"):
        bears(tmp_path)
    done = subprocess.run([sys.executable, "-m", "ursa.data.samples"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and "is there already" in done.stderr and "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.rglob("*")] == ["other-bears"]
