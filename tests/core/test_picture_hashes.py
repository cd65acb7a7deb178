"""Which pictures a bundle's model learned from: eight bytes each, exactly these pictures, and nothing else is read."""

import base64
import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ursa.core.bundles.picture_hashes import LENGTH, PARTS, PictureHashes


def sha(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


@given(st.dictionaries(st.integers(0, 500), st.sampled_from(PARTS)), st.lists(st.integers(0, 1000)))
def test_every_picture_is_found_in_its_part_and_no_other_one_in_any(part_of, asked):
    """Also after the way through JSON."""
    found = PictureHashes.of({part: [sha(n) for n in part_of if part_of[n] == part] for part in PARTS})
    again = PictureHashes.from_json(json.loads(json.dumps(found.to_json())))
    for one in (found, again):
        assert one.part_of([sha(n) for n in asked]) == [part_of.get(n) for n in asked]


def test_what_was_learned_from_counts_as_that_wherever_else_it_lies():
    found = PictureHashes.of({"test": [sha(1), sha(2)], "train": [sha(1)], "valid": [None, sha(2)]})
    assert found.part_of([sha(1), sha(2), None, sha(3)]) == ["train", "valid", None, None]
    assert PictureHashes.of({"train": [None]}).parts == {}


def test_a_picture_takes_eleven_characters_whatever_the_order():
    keys = [sha(n) for n in range(3000)]
    one, other = (PictureHashes.of({"train": some}).to_json() for some in (keys, keys[::-1] + keys[:9]))
    assert one == other
    assert len(one["train"]) == 3000 * LENGTH * 4 // 3


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"train": 3},
        {"trained": ""},
        {"train": ""},
        {"train": "????"},
        {"train": "é"},
        {"train": base64.b64encode(bytes(7)).decode()},
        {"train": base64.b64encode(bytes(16)).decode()},
        {"valid": base64.b64encode(b"b" * 8 + b"a" * 8).decode()},
    ],
)
def test_anything_else_is_refused(document):
    with pytest.raises(ValueError, match="pictures"):
        PictureHashes.from_json(document)
