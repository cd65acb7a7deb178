"""`ursa.backbones`: each backbone as `check` judges it, what it costs, and a pick that a paired test agrees with."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import ursa
from ursa.core.statistics import proportion
from ursa.errors import DataError, TrainingError
from ursa.workflow import backbones as workflow
from ursa.workflow.backbones import backbones
from ursa.workflow.check import check
from ursa.workflow.results import backbone_pick
from ursa.workflow.results.backbone_pick import Limits, MeasuredBackbone, pick
from ursa.workflow.training_run.speeds import Speed

TINY = "test_vit.r160_in1k"  # 0.3 million parameters
ELSEWHERE = "convnext_atto.d2_in1k"  # its weights are not here


@pytest.fixture(scope="module")
def folder(tmp_path_factory, picture_folder):
    return picture_folder(tmp_path_factory.mktemp("backbones") / "tints", {"red": 10, "green": 10})


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    import timm

    torch.manual_seed(0)
    file = tmp_path_factory.mktemp("weights") / "random.safetensors"
    save_file({key: tensor.contiguous() for key, tensor in timm.create_model(TINY).state_dict().items()}, file)
    return file


@pytest.fixture(scope="module")
def offline():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ursa.embed.pretrained.bodies.hub_problem", lambda: "no way there")
        patch.setattr("ursa.embed.pretrained.relatives._cached_by_the_hub", lambda _: False)
        yield


@pytest.fixture(scope="module")
def compared(folder, weights, offline):
    return backbones(folder, ["pixels", f"{TINY}={weights}", ELSEWHERE], precision="fp32")


# --- what is measured ----------------------------------------------------------------------------------------------


def test_each_is_judged_as_check_judges_it(compared, folder, weights):
    pixels, tiny, _ = compared.rows
    assert pixels.accuracy == check(folder, backbone="pixels", precision="fp32").accuracy
    assert tiny.accuracy == check(folder, backbone=TINY, weights=weights, precision="fp32").accuracy
    assert pixels.accuracy.value == np.mean(list(pixels.right.values()))
    assert len(pixels.right) == len(tiny.right) == 20


def test_what_each_costs_is_measured(compared):
    for row in compared.rows[:2]:
        assert row.pass_ms > 0 and row.predict_ms > 0 and row.problem is None
    pixels, tiny, _ = compared.rows
    assert tiny.megabytes == pytest.approx(0.31 * 4, rel=0.1)  # parameters, 4 bytes each
    assert 0 < pixels.megabytes < 0.1
    assert (pixels.license, tiny.license) == (None, "apache-2.0")


def test_a_backbone_whose_weights_cannot_be_had_has_the_reason_in_its_row(compared):
    row = compared.rows[2]
    assert (row.accuracy, row.predict_ms, row.license) == (None, None, "apache-2.0")
    assert row.problem == "its weights are not on this machine, and the hub cannot be reached: no way there"


def test_a_second_call_and_a_later_check_compute_nothing(compared, folder, weights, monkeypatch, offline):
    def never(*_, **__):
        raise AssertionError("it was known")

    for place in ("ursa.embed.backbone._build", "ursa.workflow.backbones.measured", "ursa.embed.probe.fit"):
        monkeypatch.setattr(place, never)
    again = backbones(folder, ["pixels", f"{TINY}={weights}", ELSEWHERE], precision="fp32")
    assert [row.to_json() for row in again.rows] == [row.to_json() for row in compared.rows]
    assert again.pick == compared.pick
    check(folder, backbone=TINY, weights=weights, precision="fp32")


@pytest.fixture
def timed(monkeypatch):
    """How often a speed was measured, and no seconds spent on it."""
    times = []
    speed = Speed("pixels", 64, 0.001, 0.001, {}, 1.0, 0.002, 0.04)
    monkeypatch.setattr(workflow, "measured", lambda *_: times.append(1) or speed)
    return times


def test_fresh_measures_again(folder, tmp_path, timed):
    for fresh in (False, False, True):
        backbones(folder, ["pixels"], workspace=tmp_path / "space", precision="fp32", fresh=fresh)
    assert len(timed) == 2


def test_weights_that_are_damaged_cost_one_row_and_not_the_others(folder, tmp_path, weights):
    from safetensors.torch import load_file

    state = load_file(weights)
    state["patch_embed.proj.weight"] = torch.full_like(state["patch_embed.proj.weight"], torch.nan)
    save_file(state, tmp_path / "nan.safetensors")
    damaged, pixels = backbones(folder, [f"{TINY}={tmp_path / 'nan.safetensors'}", "pixels"], precision="fp32").rows
    assert damaged.accuracy is None and "NaN" in damaged.problem
    assert pixels.accuracy is not None


def test_without_names_it_is_pixels_and_those_of_the_table(folder, offline):
    from ursa.embed.pretrained.known_backbones import table

    rows = backbones(folder, precision="fp32").rows
    assert [row.name for row in rows] == ["pixels", *(one.name for one in table())]
    assert all(row.problem for row in rows[1:])


def test_pictures_put_aside_for_testing_judge_none_of_them(tmp_path, picture_folder, timed):
    folder = picture_folder(tmp_path / "tints", {"train/red": 8, "train/blue": 8, "test/red": 4, "test/blue": 4})
    (row,) = backbones(folder, ["pixels"], precision="fp32").rows
    assert len(row.right) == 16
    assert (row.pass_ms, row.predict_ms, row.megabytes) == (1.0, 2.0, 0.04)


def test_its_document_and_its_repr(compared):
    document = json.loads(json.dumps(compared.to_json()))
    assert document.keys() >= {"backbones", "picked", "limits"}
    assert document["limits"] == {"max_ms": None, "max_mb": None}
    assert document["picked"] == compared.pick.row.name
    pixels, _, missing = document["backbones"]
    assert pixels["accuracy"].keys() == {"value", "low", "high", "method"}
    assert (pixels["within_limits"], missing["within_limits"], missing["accuracy"]) == (True, None, None)
    assert repr(compared).startswith("ComparedBackbones(pixels: ") and "picked: " in repr(compared)
    assert ursa.backbones is backbones


# --- the pick ------------------------------------------------------------------------------------------------------


def row(name: str, hits: str, ms: float, mb: float = 10.0) -> MeasuredBackbone:
    """hits: "1101" for three of four pictures right, each ten times."""
    right = {f"{number}-{copy}": hit == "1" for copy in range(10) for number, hit in enumerate(hits)}
    accuracy = proportion(sum(right.values()), len(right), "here")
    return MeasuredBackbone(name, None, None, accuracy, right, ms / 2, ms, mb)


GOOD, NEAR, POOR = "1" * 20, "1" * 19 + "0", "1" * 8 + "0" * 12


def test_the_most_accurate_is_picked_where_the_faster_one_is_worse():
    found = pick([row("fast", POOR, 5), row("good", GOOD, 20)], Limits())
    assert found.row.name == "good"
    assert "fast, the next, is 60.0 points worse (p < 0.001)" in found.why


def test_of_those_that_cannot_be_told_apart_the_fastest_is_picked_and_it_is_said():
    one, better = row("quick", GOOD, 10), row("slow", GOOD, 21)
    one.right["3-0"] = False  # one picture of 200
    one = MeasuredBackbone("quick", None, None, proportion(199, 200, "here"), one.right, 5, 10, 10)
    found = pick([better, one], Limits())
    assert found.row is one
    assert "slow is 0.5 points better, which may be chance (p = 1), and takes 2.1 times as long" in found.why
    assert found.why.startswith("quick: 99.5 % (97.2 to 99.9), 10 ms a picture, 10 MB; ")


def test_a_difference_on_ten_pictures_of_two_hundred_is_none_of_chance():
    assert pick([row("quick", NEAR, 10), row("slow", GOOD, 20)], Limits()).row.name == "slow"


def test_only_those_within_the_limits_are_picked_and_a_better_one_outside_is_named():
    rows = [row("small", NEAR, 10, 5), row("large", GOOD, 10, 60), row("slow", GOOD, 50, 5)]
    found = pick(rows, Limits(ms=20, mb=50))
    assert found.row.name == "small"
    assert "Outside the limits large reaches 100.0 %" in found.why
    assert pick(rows, Limits(mb=50)).row.name == "slow"


def test_none_within_the_limits_is_none_and_the_nearest_is_named():
    rows = [row("far", GOOD, 100), row("near", POOR, 30)]
    found = pick(rows, Limits(ms=20))
    assert found.row is None and found.nearest.name == "near"
    assert found.why.startswith("None is within 20 ms a picture; near comes nearest: 40.0 %")


def test_nothing_measured_is_nothing_picked():
    assert pick([MeasuredBackbone("gone", problem="no file")], Limits()).row is None


def test_order_does_not_matter():
    rows = [row("a", NEAR, 12), row("b", GOOD, 30), row("c", POOR, 3)]
    assert {pick(order, Limits()).row.name for order in (rows, rows[::-1])} == {"b"}


def test_only_pictures_that_both_predicted_are_compared():
    one, other = row("one", GOOD, 1), row("other", NEAR, 1)
    fewer = MeasuredBackbone("other", right={id: hit for id, hit in other.right.items() if hit})
    assert backbone_pick.p_value(one, fewer) == 1.0


# --- misuse --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "said", "fix"),
    [
        (["resnet34x"], "no backbone is called 'resnet34x'", "did you mean 'resnet34'?"),
        (["torchvision:resnet34x"], "torchvision has no classifier", "did you mean 'torchvision:resnet34'?"),
        (["pixels", "pixels"], "compared once", "leave one of them out"),
        ([f"{TINY}=nowhere.safetensors"], "there is no file of weights nowhere", f"check the path after {TINY}="),
    ],
)
def test_names_are_judged_before_a_picture_is_read(tmp_path, names, said, fix):
    with pytest.raises((TrainingError, DataError), match=said) as problem:
        backbones(tmp_path / "nowhere", names)
    assert problem.value.fix == fix


@pytest.mark.parametrize("limits", [{"max_ms": 0}, {"max_mb": -1}, {"max_ms": float("nan")}])
def test_limits_are_numbers_above_0(tmp_path, limits):
    with pytest.raises(DataError, match="a limit is a number above 0"):
        backbones(tmp_path, **limits)


def test_pictures_without_labels_and_of_one_class_are_refused(tmp_path, picture_folder):
    with pytest.raises(DataError, match="no classes in"):
        backbones(picture_folder(tmp_path, {"loose": 3}) / "loose", ["pixels"])
    one = picture_folder(tmp_path / "one", {"red": 3})
    with pytest.raises(DataError, match="at least two classes"):
        backbones(one, ["pixels"])
    assert not (one / ".ursa" / "embeddings").exists()  # said before anything was embedded
