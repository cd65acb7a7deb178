"""`ursa evaluate --cost --max-error --out`: thresholds that are measured, written, and then answered by."""

import json

import numpy as np
import pytest

import ursa
from ursa.cli.command_options import costs_of
from ursa.core.bundles import bundle as bundles
from ursa.core.statistics import Estimate
from ursa.errors import DataError
from ursa.export.bundle_files import with_thresholds
from ursa.workflow.chosen_thresholds import WantedThresholds, with_operating_points
from ursa.workflow.results.evaluated import Evaluated

NAMES = ("blue", "green", "red")


@pytest.fixture
def bundle(trained):
    """A real one; it is only read."""
    return bundles.read(trained[1].bundle)


def found(bundle):
    nothing = Estimate(0.9, 0.8, 1.0, "none", share=True)
    return Evaluated(0, {}, nothing, nothing, 0, 0, bundle.labels, np.zeros((3, 3), np.int64))


def likely(count=600, seed=0):
    """[N, 3], [N]: of sure answers one in a hundred is wrong, of unsure ones a half."""
    random = np.random.default_rng(seed)
    targets, sure = random.integers(3, size=count), random.random(count) < 0.8
    said = np.where(random.random(count) < np.where(sure, 0.005, 0.5), (targets + 1) % 3, targets)
    top = np.where(sure, random.uniform(0.9, 1, count), random.uniform(0.4, 0.6, count))
    rows = np.tile((1 - top[:, None]) / 2, 3)
    rows[np.arange(count), said] = top
    return rows, targets


def test_what_is_asked_for_is_written_and_read_and_the_model_stays_the_same(bundle, tmp_path):
    wanted = WantedThresholds.of({"red": (10, 1)}, 0.05, tmp_path / "careful.ursa", bundle.labels)
    result = with_operating_points(found(bundle), *likely(), wanted, bundle)
    written = bundles.read(result.bundle)
    assert written.decisions.costs["red"].threshold == pytest.approx(1 / 11)
    assert written.decisions.abstain == result.abstain.value
    assert 0.4 < written.decisions.abstain <= 0.95
    assert "red: a miss costs 10 and a false alarm 1" in written.parts["card.md"].decode()
    for part in ("model.onnx", "weights.safetensors"):
        assert written.parts[part] == bundle.parts[part]
    changed = {key for key in written.document if written.document[key] != bundle.document.get(key)}
    assert changed == {"thresholds", "sha256", "parts"}
    document = json.loads(json.dumps(result.to_json()))
    assert document["operating_points"]["red"]["point"]["miss"] == 10
    assert document["operating_points"]["blue"]["point"] is None
    assert {"value", "low", "high", "method"} == set(document["saved"])
    assert document["bundle"] == str(tmp_path / "careful.ursa")


def test_predictions_follow_the_bundle(bundle, tmp_path, trained, picture_folder):
    plain, picture = ursa.load(trained[1].bundle), np.full((64, 64, 3), 128, np.uint8)
    answer = plain(picture)
    assert answer.unsure is None
    assert "unsure" not in answer.to_json()
    last = min(answer.probabilities, key=answer.probabilities.get)
    costs = {last: {"miss": 1e6, "false_alarm": 1e-6}}
    careful = ursa.load(with_thresholds(bundle, {"costs": costs, "abstain": {"value": 1.0}}, tmp_path / "careful.ursa"))
    other = careful(picture)
    assert other.label == last != answer.label
    assert other.probability == pytest.approx(answer.probabilities[last], abs=1e-6)
    assert other.to_json()["unsure"] is True
    sure = ursa.load(with_thresholds(bundle, {"abstain": {"value": 0.0}}, tmp_path / "sure"))
    assert sure(picture).to_json() == {**answer.to_json(), "unsure": False}


def test_what_is_not_asked_for_stays_in_the_bundle(bundle, tmp_path):
    first = WantedThresholds.of({"red": (10, 1)}, None, tmp_path / "a.ursa", bundle.labels)
    costly = bundles.read(with_operating_points(found(bundle), *likely(), first, bundle).bundle)
    then = WantedThresholds.of(None, 0.05, tmp_path / "a.ursa", bundle.labels)  # over itself
    both = bundles.read(with_operating_points(found(bundle), *likely(), then, costly).bundle)
    assert both.decisions.costs == costly.decisions.costs
    assert both.decisions.abstain is not None


def test_errors_are_promised_of_what_is_answered_by_the_costs(bundle):
    """Answers that costs make worse need a higher threshold, or have none."""
    plain, dear = (WantedThresholds.of(costs, 0.05, None, bundle.labels) for costs in ({}, {"red": (1e5, 1e-5)}))
    one, other = (with_operating_points(found(bundle), *likely(), each, bundle) for each in (plain, dear))
    assert one.promised
    assert not other.promised  # everything is called red


def test_a_promise_that_cannot_be_kept_writes_nothing(bundle, tmp_path):
    wanted = WantedThresholds.of(None, 0.0001, tmp_path / "no.ursa", bundle.labels)
    result = with_operating_points(found(bundle), *likely(), wanted, bundle)
    assert not result.promised
    assert result.bundle is None
    assert not list(tmp_path.iterdir())


def test_thresholds_are_not_chosen_on_pictures_that_were_learned_from(bundle):
    nothing = np.empty((0, 3)), np.empty(0, np.int64)
    with pytest.raises(DataError, match="did not learn from"):
        with_operating_points(found(bundle), *nothing, WantedThresholds.of(None, 0.01, None, bundle.labels), bundle)
    unasked = WantedThresholds.of(None, None, None, bundle.labels)
    assert with_operating_points(found(bundle), *nothing, unasked, bundle).curves == ()


@pytest.mark.parametrize(
    ("costs", "max_error", "out", "what"),
    [
        ({"pink": (1, 1)}, None, None, "no class 'pink'"),
        (None, 0, None, "between 0 and 1"),
        (None, 1.0, None, "between 0 and 1"),
        (None, None, "x.ursa", "none were asked for"),
    ],
)
def test_what_cannot_be_is_refused_before_pictures_are_read(trained, costs, max_error, out, what):
    with pytest.raises(DataError, match=what):
        ursa.evaluate(
            trained[1].bundle,
            trained[0],
            costs=costs,
            max_error=max_error,
            out=out,
        )


def test_a_bundle_with_thresholds_of_nowhere_is_refused(bundle, tmp_path):
    with pytest.raises(DataError, match="the model's classes"):
        with_thresholds(bundle, {"costs": {"pink": {"miss": 1, "false_alarm": 1}}}, tmp_path / "x.ursa")
    assert not list(tmp_path.iterdir())


def test_evaluate_says_what_the_costs_do(trained, picture_folder, tmp_path):
    folder = picture_folder(tmp_path / "other", dict.fromkeys(NAMES, 4), seed=5)
    result = ursa.evaluate(trained[1].bundle, folder, costs={"red": (5, 1)})
    assert [each.name for each in result.curves] == list(NAMES)
    assert result.curves[2].point.recall.value == 1
    assert result.saved.value == pytest.approx(0, abs=1)


def test_costs_are_said_by_class_and_a_class_may_have_an_equals_sign():
    assert costs_of(["grizzly=10:1", "a=b=1:2.5"]) == {"grizzly": (10, 1), "a=b": (1, 2.5)}
    for wrong in ("grizzly", "grizzly=10", "grizzly=a:b", "grizzly:1:2"):
        with pytest.raises(DataError, match="CLASS=MISS:FALSE_ALARM"):
            costs_of([wrong])
