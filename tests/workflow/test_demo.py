"""The demonstration where it cannot write, or was stopped while it wrote."""

import pytest

from ursa.errors import DataError
from ursa.workflow import demo as demos


def test_a_place_where_nothing_can_be_written_is_said_with_the_option_that_names_another(disk):
    place = disk("1m", read_only=True)
    with pytest.raises(DataError, match="cannot write the pictures") as refused:
        demos.demo(place / "there")
    assert refused.value.found == "Read-only file system"
    assert "ursa demo --to DIR" in refused.value.fix


def test_a_full_disk_leaves_no_half_a_data_set(disk):
    place = disk("300k")
    with pytest.raises(DataError, match="cannot write the pictures") as refused:
        demos.demo(place)
    assert refused.value.found == "No space left on device"
    assert list(place.iterdir()) == []


def test_digits_that_are_there_are_taken_as_they_are(tmp_path):
    (tmp_path / "digits").mkdir()
    said = []
    assert demos._digits(tmp_path, said.append) == tmp_path / "digits"
    assert said == []
