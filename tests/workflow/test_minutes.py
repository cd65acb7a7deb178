"""A run that has to end in time: what is chosen for it, and how training keeps to the deadline."""

import io
import json
import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from torch import nn

from ursa.cli import results_text
from ursa.embed.pretrained import relatives
from ursa.errors import TrainingError
from ursa.training.batches.array_batches import ArrayBatches
from ursa.training.fit import fit
from ursa.training.history import History
from ursa.training.loop import State
from ursa.training.optim.deadline import MOST, Deadline
from ursa.training.optim.schedules import one_cycle
from ursa.workflow.train import train
from ursa.workflow.training_run.minutes import WIDE, Weighed, Work, after, before, chosen, weigh
from ursa.workflow.training_run.speeds import Speed, between

seconds = st.floats(1e-4, 1)
counts = st.integers(1, 5000)
works = st.builds(Work, new=counts, learn=counts, valid=counts, after=counts, changed=st.integers(0, 400))
lengths = st.floats(1, 5000)


@st.composite
def speeds(draw: st.DrawFn) -> Speed:
    small = draw(seconds)
    steps = between({128: small, 224: small * draw(st.floats(1, 5))}, 224)
    return Speed("any", 224, draw(seconds), draw(seconds), steps, draw(st.floats(0, 30)), draw(seconds))


def choice(speed: Speed, work: Work, time: float, wanted: int) -> Weighed | None:
    return chosen(weigh(speed, work, time, time, wanted), speed.backbone, {speed.backbone: speed.own}, wanted)


@given(speeds(), works, lengths, st.floats(1, 10), st.integers(0, 20))
def test_more_time_never_means_fewer_epochs_or_smaller_pictures(
    speed: Speed, work: Work, time: float, more: float, wanted: int
) -> None:
    earlier, then = choice(speed, work, time, wanted), choice(speed, work, time * more, wanted)
    short, long = (weigh(speed, work, length, length, wanted) for length in (time, time * more))
    for less, longer in zip(short, long, strict=True):
        assert less.epochs <= longer.epochs + 1e-9
    if earlier is not None:
        assert then is not None
        assert earlier.epochs <= then.epochs + 1e-9
        assert earlier.size <= then.size or not earlier.epochs


@given(speeds(), works, lengths, st.floats(0, 1), st.integers(0, 20))
def test_no_plan_exceeds_the_time_by_its_own_estimate(
    speed: Speed, work: Work, time: float, gone: float, wanted: int
) -> None:
    left = time * (1 - gone)
    best = chosen(weigh(speed, work, time, left, wanted), "any", {"any": 224}, wanted)
    if best is None:
        assert before(speed, work) + after(speed, work) > left
        return
    epochs = best.epochs * (work.learn * speed.steps[best.size] + work.valid * speed.predict)
    assert before(speed, work) + epochs + after(speed, work) <= left + 1e-6
    assert best.ends <= time
    assert best.epochs <= wanted * WIDE


def test_with_time_enough_pictures_have_the_backbones_own_size_and_without_it_the_probe_is_all() -> None:
    speed = Speed("any", 224, 0.01, 0.02, {128: 0.03, 160: 0.05, 192: 0.07, 224: 0.1}, 3.0, 0.01)
    work = Work(new=1000, learn=800, valid=200, after=400, changed=400)
    best = {time: choice(speed, work, time, 5) for time in (35, 40, 100, 300, 600)}
    sizes = {time: (way.size, round(way.epochs, 1)) for time, way in best.items() if way is not None}
    assert sizes == {35: (224, 0.0), 40: (128, 0.4), 100: (128, 2.5), 300: (160, 5.0), 600: (224, 6.8)}  # by hand
    assert choice(speed, work, 20, 5) is None


def test_a_larger_network_is_taken_when_all_epochs_fit_and_a_smaller_one_when_no_probe_does() -> None:
    def rows(**epochs: float) -> list[Weighed]:
        cost = {"small": 0.1, "named": 0.2, "large": 0.4}
        return [Weighed(name, 224, cost[name], count, 10.0, count >= 0) for name, count in epochs.items()]

    def taken(**epochs: float) -> str | None:
        best = chosen(rows(**epochs), "named", dict.fromkeys(epochs, 224), 5)
        return None if best is None else best.backbone

    assert taken(small=15, named=12, large=5) == "large"
    assert taken(small=15, named=12, large=4.9) == "named"
    assert taken(small=15, named=0, large=-1) == "named"
    assert taken(small=2, named=-1, large=-1) == "small"
    assert taken(small=-1, named=-1, large=-1) is None


@pytest.mark.parametrize("minutes", [0, -1, math.nan, math.inf, 1e-9])
def test_what_is_no_length_of_time_is_refused(minutes: float, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="finite number of minutes"):
        train(tmp_path, minutes=minutes)


@given(
    st.floats(0.01, 3),
    st.lists(st.floats(0.2, 6), min_size=1, max_size=4),
    st.floats(0, 20),
    st.integers(5, 300),
)
@settings(max_examples=60)
def test_the_schedule_ends_at_the_deadline_however_slow_the_machine_becomes(
    step: float, slower: list[float], reserve: float, steps: int
) -> None:
    """Steps are planned to take `step` seconds, and take so many times as long in each part of the run."""
    now, planned = 1000.0, steps * step + reserve
    deadline = Deadline(planned, reserve, step, clock=lambda: now)
    shares = deadline.schedule(lambda done: done)
    told = []
    for number in range(steps):
        told.append(shares(number / steps))
        now += step * slower[number * len(slower) // steps]
        if deadline.over():
            break
    assert told == sorted(told)
    finished = len(told) == steps
    worst = step * max(slower)
    if not finished:
        assert told[-1] >= 1 - 12 * worst / max(planned - MOST * reserve, 12 * worst)
    assert now <= 1000 + planned - reserve + worst


def test_a_machine_that_is_twice_as_slow_gets_half_the_steps_and_the_whole_schedule() -> None:
    now = 0.0
    deadline = Deadline(110.0, 5.0, 1.0, clock=lambda: now)
    schedule, rates = deadline.schedule(one_cycle()), []
    for number in range(100):
        rates.append(schedule(number / 100))
        now += 2.0
        if deadline.over():
            break
    assert len(rates) == 50  # 110 seconds less twice the 5 put aside
    assert max(rates) == pytest.approx(1, abs=0.01)
    assert rates[-1] < 0.01


def test_a_machine_that_keeps_its_pace_follows_the_steps() -> None:
    now = 0.0
    deadline = Deadline(105.5, 5.0, 1.0, clock=lambda: now)
    schedule = deadline.schedule(lambda done: done)
    for number in range(100):
        assert schedule(number / 100) == pytest.approx(number / 100, abs=0.01)  # a step
        now += 1.0
        assert deadline.over() is (number == 99)


def test_a_fit_that_runs_out_of_time_ends_there_and_is_judged_there() -> None:
    inputs, targets = torch.eye(20), torch.arange(20) % 2
    model = nn.Linear(20, 2)
    optimizer = torch.optim.SGD([{"params": [*model.parameters()], "max_lr": 0.1}], lr=0.1)
    judged, asked = [], iter(range(1, 100))
    fit(
        State(model, optimizer),
        ArrayBatches((inputs,), targets, batch=2),
        lambda _: judged.append(1) or {"valid_loss": -len(judged)},
        epochs=3,
        stop=lambda: next(asked) == 13,
        history=(history := History()),
    )
    assert history.epochs[-1]["train_loss"] == pytest.approx(sum(step["loss"] for step in history.steps[10:]) / 3)
    assert (history.stopped, len(history.steps), [one["epoch"] for one in history.epochs]) == ("time", 13, [0, 1, 2])


def test_a_run_within_minutes_says_what_it_weighed(picture_folder, tmp_path: Path) -> None:
    folder = picture_folder(tmp_path / "tints", {"red": 12, "green": 12})
    result = train(folder, backbone="pixels", out=tmp_path / "tints.ursa", minutes=5)
    weighed = json.loads(json.dumps(result.to_json()))["weighed"]
    assert [(way["size"], way["epochs"], way["chosen"]) for way in weighed] == [(64, 5 * WIDE, True)]
    assert 0 < weighed[0]["ends"] < 300
    assert result.bundle.is_file()
    results_text.trained(result, Console(file=(page := io.StringIO()), width=100))
    assert next(line.split() for line in page.getvalue().splitlines() if "chosen" in line)[0] == "64"


def test_too_little_time_for_a_probe_says_how_much_it_needs(picture_folder, tmp_path: Path, monkeypatch) -> None:
    folder = picture_folder(tmp_path / "tints", {"red": 12, "green": 12})
    slow = Speed("pixels", 64, 2.0, 2.0, {64: 5.0}, 3.0, 1.0)
    monkeypatch.setattr("ursa.workflow.training_run.minutes.measured", lambda *_, **__: slow)
    with pytest.raises(TrainingError, match=r"24 pictures need about [0-9.]+ minutes") as problem:
        train(folder, backbone="pixels", out=tmp_path / "tints.ursa", minutes=0.5)
    assert "0.5 minutes" in problem.value.what


def test_relatives_share_all_but_the_size() -> None:
    assert relatives.stem("resnet34.a1_in1k") == relatives.stem("resnet18.a1_in1k")
    assert relatives.stem("torchvision:convnext_tiny") == relatives.stem("torchvision:convnext_base")
    assert relatives.stem("vit_tiny_patch16_224.augreg") == relatives.stem("vit_base_patch16_224.augreg")
    for other in ("resnet34.a2_in1k", "resnetv2_34.a1_in1k", "resnet34d.a1_in1k", "torchvision:resnet34"):
        assert relatives.stem("resnet34.a1_in1k") != relatives.stem(other)


def test_only_relatives_on_this_machine_count(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    assert relatives.relatives("torchvision:resnet34") == []
    (tmp_path / "checkpoints" / "resnet18-f37072fd.pth").write_bytes(b"")
    assert relatives.relatives("torchvision:resnet34") == ["torchvision:resnet18"]
    assert relatives.relatives("pixels") == []


def test_speeds_between_two_sizes_lie_on_a_line_in_the_area() -> None:
    line = {128: 1.0, 160: 1.5625, 192: 2.25, 224: 3.0625, 256: 4.0}
    assert between({128: 1.0, 256: 4.0}, 256) == pytest.approx(line)
    assert between({128: 1.0}, 256) == pytest.approx(line)
    assert between({64: 1.0}, 64) == {64: 1.0}
    assert list(between({128: 1.0, 224: 2.0}, 224)) == [128, 160, 192, 224]
    assert list(between({224: 1.0}, 224)) == [224]
