"""Finding: the one type in which every part of Ursa reports."""

import dataclasses
import json

import pytest

from ursa.core.finding import Finding


def test_the_document_of_a_finding_has_the_keys_of_the_contract():
    finding = Finding("copies", ("a/1.jpg", "b/1.jpg"), 1.0, "the same bytes", "delete one")
    assert json.loads(json.dumps(finding.to_json())) == {
        "kind": "copies",
        "where": ["a/1.jpg", "b/1.jpg"],
        "score": 1.0,
        "evidence": "the same bytes",
        "advice": "delete one",
    }


def test_measured_values_are_added_for_programs():
    assert Finding("k", (), 0.5, "e", "a", {"bits": 3}).to_json()["numbers"] == {"bits": 3}


def test_a_finding_does_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Finding("k", (), 0.5, "e", "a").score = 1.0
