"""The data set that comes along."""

import numpy as np
import pytest

from ursa.core.decoding import image
from ursa.data.samples import digits
from ursa.data.sources.folder_source import from_folder


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
