"""Errors say what was found and how to go on."""

import pickle

import pytest

from ursa.errors import BundleError, DataError, TrainingError, UrsaError, did_you_mean


@pytest.mark.parametrize("kind", [DataError, TrainingError, BundleError])
def test_every_error_of_ursa_can_be_caught_as_one(kind):
    with pytest.raises(UrsaError):
        raise kind("something")


def test_an_error_prints_as_one_readable_block():
    error = DataError("no classes in bears", found="3 loose pictures", fix="one folder a class")
    assert str(error) == "no classes in bears\n  found: 3 loose pictures\n  fix:   one folder a class"


def test_what_is_not_known_is_left_out_of_the_block():
    assert str(DataError("no classes")) == "no classes"
    assert str(DataError("no classes", fix="add some")) == "no classes\n  fix:   add some"


def test_the_document_of_an_error_holds_the_same_three_texts():
    assert DataError("what", found=3, fix="how").to_json() == {"error": "what", "found": "3", "fix": "how"}
    assert DataError("what").to_json() == {"error": "what", "found": None, "fix": None}


def test_an_error_from_another_process_arrives_whole():
    error = pickle.loads(pickle.dumps(TrainingError("what", found="that", fix="how")))  # as multiprocessing sends it
    assert type(error) is TrainingError
    assert error.to_json() == {"error": "what", "found": "that", "fix": "how"}


def test_a_near_word_is_suggested():
    assert did_you_mean("resnet3", ["vgg16", "resnet34", "alexnet"]) == "did you mean 'resnet34'?"


def test_without_a_near_word_the_known_ones_are_listed_and_long_lists_end():
    assert did_you_mean("zzz", ["b", "a"]) == "known: a, b"
    listed = did_you_mean("zzz", [f"name{i:02}" for i in range(20)])
    assert listed.startswith("known: name00, name01") and listed.endswith("name11, ...")
