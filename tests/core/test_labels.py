"""Class names <-> indices."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ursa.core.labels import Labels
from ursa.errors import DataError

names = st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=20)


@given(names)
def test_classes_are_sorted_by_name_and_occur_once_whatever_order_they_come_in(given_names):
    labels = Labels.of(given_names)
    assert labels == Labels.of(reversed(given_names)) == Labels.of(given_names * 2)
    assert list(labels.names) == sorted(set(given_names))
    assert len(labels) == len(set(given_names))


@given(names)
def test_decoding_undoes_encoding(given_names):
    labels = Labels.of(given_names)
    indices = labels.encode(given_names)
    assert labels.decode(indices) == given_names
    assert indices.dtype == "int64" and len(indices) == len(given_names)


def test_nothing_encodes_to_nothing():
    assert Labels.of(["a"]).encode([]).shape == (0,)


def test_an_unknown_class_is_named_with_its_nearest_neighbor():
    with pytest.raises(DataError, match="does not know") as error:
        Labels.of(["grizzly", "teddy"]).encode(["grizzly", "teddys"])
    assert error.value.found == "teddys"
    assert error.value.fix == "did you mean 'teddy'?"
