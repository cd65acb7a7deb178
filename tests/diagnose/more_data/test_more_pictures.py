"""Whether more pictures help, in words, as a finding and as a document; and when nothing is said."""

import json

import numpy as np
import pytest

from ursa.core.finding import KINDS
from ursa.core.labels import Labels
from ursa.diagnose.more_data.more_pictures import MorePictures, more_pictures
from ursa.diagnose.more_data.stored_curve import stored_learning_curve
from ursa.workspace import Workspace

LABELS = Labels(("hat", "shoe"))


def said(curve):
    return more_pictures(curve, LABELS, curve.right[-1, 0])


@pytest.fixture
def falling(curve_of):
    return said(curve_of(lambda n: 0.02 + 3 * n**-0.5))


def test_errors_that_fall_say_collect(falling):
    assert falling.outlook == "help"
    assert str(falling).startswith("With twice the pictures the probe would reach about 9")
    assert "more pictures help; collect more of " in str(falling)
    (finding,) = falling.findings()
    assert finding.kind == "more-pictures-help" in KINDS
    assert finding.evidence == str(falling) and falling.gains_most in finding.advice
    assert "its recall would rise from 8" in finding.advice or "its recall would rise from 9" in finding.advice


def test_a_plateau_of_many_errors_says_look_elsewhere(curve_of):
    flat = said(curve_of(lambda n: 0.2 + 40 * n**-2))
    assert flat.outlook == "help little" and flat.gains_most == ""
    (finding,) = flat.findings()
    assert finding.kind == "more-pictures-help-little" in KINDS
    assert "before collecting" in finding.advice


def test_a_plateau_of_few_errors_is_no_finding(curve_of):
    flat = said(curve_of(lambda n: 0.01 + 40 * n**-2))
    assert flat.outlook == "help little"
    assert str(flat).endswith("more pictures help little.") and flat.findings() == ()


def test_where_laws_that_fit_say_both_nothing_is_advised(curve_of):
    unsure = said(curve_of(lambda n: 0.08 + 0.5 * n**-0.5, pictures=100))
    gain = unsure.forecasts[0].gain
    assert gain.low < 0.005 < 0.01 < gain.high
    assert unsure.outlook != "help little"
    if unsure.outlook == "cannot be told":
        assert unsure.findings() == () and "cannot be told" in str(unsure)


def test_the_class_that_gains_most_is_named(curve_of):
    curve = curve_of(lambda n: 0.02 + 4 * n**-0.5)
    curve.right[:, :, curve.targets == 1] = True  # shoes are never mistaken
    found = said(curve)
    assert found.gains_most == "hat"
    assert found.to_json()["per_class"]["shoe"]["forecast"]["gain"]["value"] == 0
    both = curve_of(lambda n: 0.02 + 7 * n**-0.5)
    both.right[:, :, (both.targets == 1) & (np.arange(1000) % 4 == 1)] = True  # half of the shoes are
    hat, shoe = (said(both).recalls[name][1].gain.value for name in LABELS.names)
    assert hat > shoe > 0.02 and said(both).gains_most == "hat"


def test_a_curve_that_falls_is_shown_and_not_extended(curve_of):
    refused = said(curve_of(lambda n: 0.1 if n < 300 else 0.25))
    document = refused.to_json()
    assert "accuracy falls" in document["refused"] and document["forecast"] == []
    assert len(document["sizes"]) == len(document["accuracy"]) == 8
    assert str(refused).startswith("No forecast for more pictures: accuracy falls") and refused.findings() == ()


def test_the_document_holds_what_the_contract_asks_for(falling):
    document = json.loads(json.dumps(falling.to_json()))
    assert {"sizes", "accuracy", "log_loss", "forecast", "per_class", "outlook", "refused"} == document.keys()
    assert [each["times"] for each in document["forecast"]] == [2, 4]
    assert all(each["low"] <= each["value"] <= each["high"] for each in document["forecast"])
    assert document["refused"] is None and document["per_class"].keys() == {"hat", "shoe"}


def test_without_a_curve_the_reason_is_said():
    none = MorePictures.refuse("a learning curve takes 40 different pictures, and there are 12")
    assert str(none).endswith("and there are 12.") and none.findings() == ()
    assert none.to_json()["refused"].endswith("there are 12") and none.to_json()["sizes"] == []


def test_a_curve_is_kept_until_something_changes(tmp_path, clouds, monkeypatch):
    vectors, targets = clouds((30, 30))
    space, groups = Workspace(tmp_path), np.arange(60)
    first = stored_learning_curve(vectors, targets, 2, space, groups=groups)
    (path,) = (tmp_path / "probes").glob("learning-curve-*.safetensors")
    monkeypatch.setattr("ursa.diagnose.more_data.stored_curve.learning_curve", None)  # not computed again
    again = stored_learning_curve(vectors, targets, 2, space, groups=groups)
    assert np.array_equal(first.right, again.right) and np.array_equal(first.sizes, again.sizes)
    assert np.array_equal(first.log_losses, again.log_losses) and again.draws == 20
    changed = targets.copy()
    changed[0] = 1
    joined = groups.copy()
    joined[1] = 0
    for other in ((vectors + 1, targets, groups, 0), (vectors, changed, groups, 0), (vectors, targets, joined, 0)):
        with pytest.raises(TypeError):
            stored_learning_curve(*other[:2], 2, space, groups=other[2], seed=other[3])
    with pytest.raises(TypeError):
        stored_learning_curve(vectors, targets, 2, space, groups=groups, seed=1)
    path.write_bytes(path.read_bytes()[:-1] + b"!")  # no longer what was written
    with pytest.raises(TypeError):
        stored_learning_curve(vectors, targets, 2, space, groups=groups)
