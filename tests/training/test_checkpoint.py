"""Checkpoints: what is loaded is what was saved, whatever the optimiser; what is damaged or foreign is refused."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import nn

from ursa.errors import DataError, TrainingError
from ursa.recipe import Recipe
from ursa.training.batches.array_batches import ArrayBatches
from ursa.training.checkpoints import checkpoint
from ursa.training.checkpoints.checkpoint_folder import Checkpoints
from ursa.training.history import Best, History
from ursa.training.loop import State, train
from ursa.training.optim.ema import EMA
from ursa.training.optim.optimizers import NAMES, Group, make

OPTIMIZERS = {
    **{name: lambda model, name=name: make(name, [Group([model], 1e-3)], model=model) for name in NAMES},
    **{
        f"torch's {kind.__name__}": lambda model, kind=kind: kind(model.parameters(), lr=1e-3)
        for kind in (
            torch.optim.Adam,
            torch.optim.NAdam,
            torch.optim.RAdam,
            torch.optim.Adamax,
            torch.optim.ASGD,
            torch.optim.Rprop,
            torch.optim.Adadelta,
            torch.optim.Adafactor,
        )
    },
    "amsgrad": lambda model: torch.optim.AdamW(model.parameters(), amsgrad=True),
    "momentum without a buffer": lambda model: torch.optim.SGD(model.parameters(), lr=1e-2),
}
RECIPE = Recipe.of(epochs=4, batch_size=4, max_grad_norm=0.0)


def network(hidden=6, seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = nn.Sequential(nn.Conv2d(1, hidden, 3), nn.BatchNorm2d(hidden), nn.ReLU(), nn.Flatten(), nn.Dropout(0.2))
        model.append(nn.Linear(hidden * 4, 3))
    model.register_buffer("scratch", torch.zeros(2), persistent=False)
    return model.to(memory_format=torch.channels_last)


def state_of(optimizer="adamw", *, average=False, hidden=6, seed=0):
    model = network(hidden, seed)
    made = OPTIMIZERS[optimizer](model)
    for group in made.param_groups:
        group.setdefault("max_lr", group["lr"])
    return State(model, made, average=EMA(model, 0.9) if average else None)


def batches(seed=0):
    draw = torch.Generator().manual_seed(7)
    x, y = torch.randn(22, 1, 4, 4, generator=draw), torch.randint(3, (22,), generator=draw)
    return ArrayBatches((x,), y, batch=RECIPE.optim.batch_size, seed=seed)


def stepped(state, steps):
    """The losses of so many steps."""
    losses = []
    if steps:
        for step in train(state, batches(), RECIPE):
            losses.append(float(step.loss))
            if len(losses) == steps:
                break
    return losses


def best_of(state, epoch=0):
    return Best(epoch, {"epoch": epoch, "valid_loss": 1.0}, {k: v.clone() for k, v in state.model.state_dict().items()})


def history_of(steps):
    return History([{"step": i + 1, "epoch": i // 6, "loss": 1 / (i + 3), "lr": 0.1 / (i + 1)} for i in range(steps)])


def everything(state):
    """All tensors and numbers of a state, as one comparable value."""
    found = {f"model {k}": v for k, v in {**dict(state.model.named_buffers()), **state.model.state_dict()}.items()}
    for i, (weight, kept) in enumerate(
        (w, state.optimizer.state.get(w, {})) for g in state.optimizer.param_groups for w in g["params"]
    ):
        found |= {f"{i} {k}": v for k, v in kept.items()} | {f"{i} layout": weight.stride()}
    if state.average is not None:
        found |= {f"average {i}": v for i, v in enumerate(state.average.values)} | {"averaged": state.average.steps}
    groups = [{k: v for k, v in group.items() if k != "params"} for group in state.optimizer.param_groups]
    return found | {"step": state.step, "groups": groups}


def assert_same(one, other):
    one, other = everything(one), everything(other)
    assert one.keys() == other.keys()
    for name, value in one.items():
        if isinstance(value, torch.Tensor):
            assert torch.equal(value, other[name]) and value.dtype == other[name].dtype, name
            assert value.stride() == other[name].stride(), f"{name} lies in memory in another way"
        else:
            assert value == other[name], name


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@settings(max_examples=4, deadline=None)
@given(steps=st.integers(0, 9), average=st.booleans())
def test_loading_gives_what_was_saved_and_training_goes_on_the_same(tmp_path_factory, optimizer, steps, average):
    path = tmp_path_factory.mktemp("saved") / "one.safetensors"
    saved = state_of(optimizer, average=average)
    stepped(saved, steps)
    saved.model.scratch += 3
    checkpoint.save(path, saved, RECIPE, history_of(steps), best_of(saved))
    loaded = state_of(optimizer, average=average, seed=1)
    stepped(loaded, 2)  # whatever it did before
    checkpoint.load(path).restore(loaded)
    assert_same(saved, loaded)
    assert stepped(saved, 5) == stepped(loaded, 5)
    assert_same(saved, loaded)


def test_a_checkpoint_says_what_the_run_was(tmp_path):
    state, path = state_of(), tmp_path / "one.safetensors"
    history = history_of(9)
    history.epochs.append({"epoch": 0, "accuracy": 1 / 3, "valid_loss": float("inf")})
    checkpoint.save(path, state, RECIPE, history, best_of(state, 2), "pictures of bears", 1.5)
    found = checkpoint.load(path)
    assert (found.history.steps, found.history.epochs) == (history.steps, history.epochs)
    assert all(type(step["step"]) is type(step["epoch"]) is int for step in found.history.steps)
    assert (found.data, found.seconds, found.best) == ("pictures of bears", 1.5, (2, {"epoch": 2, "valid_loss": 1.0}))
    assert Recipe.from_json(found.recipe) == RECIPE
    assert set(found.versions) == {"ursa-learn", "torch"}


def test_state_keeps_its_type_beside_weights_of_another(tmp_path):
    weight = nn.Parameter(torch.ones(3, dtype=torch.bfloat16))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    optimizer.state[weight] = {"master": torch.tensor([1.001, 2.002, 3.003]), "history": [torch.ones(2), (4, None)]}
    model = nn.Module()
    model.weight = weight
    state = State(model, optimizer)
    checkpoint.save(tmp_path / "one", state, RECIPE, History(), Best(0, {}, {}))
    before = optimizer.state[weight]["master"].clone()
    optimizer.state[weight] = {}
    checkpoint.load(tmp_path / "one").restore(state)
    assert torch.equal(optimizer.state[weight]["master"], before)
    assert optimizer.state[weight]["history"][1] == (4, None)


def test_a_scaler_of_gradients_goes_on_with_its_scale(tmp_path):
    state, path = state_of(), tmp_path / "one.safetensors"
    state.scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    stepped(state, 1)
    checkpoint.save(path, state, RECIPE, history_of(1), best_of(state))
    other = state_of()
    with pytest.raises(TrainingError, match="a scaler of gradients"):
        checkpoint.load(path).restore(other)
    other.scaler = torch.amp.GradScaler("cpu")
    checkpoint.load(path).restore(other)
    assert other.scaler.state_dict() == state.scaler.state_dict()


def test_shared_weights_are_saved_and_stay_shared(tmp_path):
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    state = State(model, torch.optim.SGD(model.parameters(), lr=0.1))
    checkpoint.save(tmp_path / "one", state, RECIPE, History(), Best(0, {}, {}))
    before = model[0].weight.clone()
    nn.init.zeros_(model[0].weight)
    checkpoint.load(tmp_path / "one").restore(state)
    assert torch.equal(model[1].weight, before) and model[1].weight is model[0].weight


def test_the_file_is_plain_safetensors(tmp_path):
    state, path = state_of(), tmp_path / "one.safetensors"
    checkpoint.save(path, state, RECIPE, history_of(2), best_of(state))
    assert torch.equal(load_file(path)["model/0.weight"], state.model[0].weight)


# --- of something else -----------------------------------------------------------------------------------------------


def test_a_checkpoint_of_another_model_is_refused_with_what_differs_and_changes_nothing(tmp_path):
    wide, path = state_of(hidden=8), tmp_path / "one.safetensors"
    wide.model.append(nn.Linear(3, 3))
    checkpoint.save(path, wide, RECIPE, History(), best_of(wide))
    other = state_of(seed=3)
    other.model.insert(5, nn.Linear(24, 24))
    before = {name: value.clone() for name, value in everything(other).items() if isinstance(value, torch.Tensor)}
    with pytest.raises(TrainingError, match="another model") as problem:
        checkpoint.load(path).restore(other)
    assert "of another shape: 0.weight [8, 1, 3, 3], here [6, 1, 3, 3], 0.bias [8], here [6]" in problem.value.found
    assert "more" in problem.value.found
    assert all(torch.equal(value, everything(other)[name]) for name, value in before.items())


@pytest.mark.parametrize("here", [{"optimizer": "sgd"}, {"average": True}])
def test_another_optimizer_or_an_average_that_was_not_there_is_refused(tmp_path, here):
    state, path = state_of(), tmp_path / "one.safetensors"
    checkpoint.save(path, state, RECIPE, History(), best_of(state))
    with pytest.raises(TrainingError):
        checkpoint.load(path).restore(state_of(**here))


def test_other_frozen_layers_are_refused(tmp_path):
    state, path = state_of(), tmp_path / "one.safetensors"
    checkpoint.save(path, state, RECIPE, History(), best_of(state))
    model = network()
    model[0].requires_grad_(False)
    with pytest.raises(TrainingError, match="another optimiser"):
        checkpoint.load(path).restore(State(model, OPTIMIZERS["adamw"](model)))


def test_state_that_is_no_tensor_is_refused_before_it_is_lost(tmp_path):
    class Counting(nn.Linear):
        def get_extra_state(self):
            return {"count": 3}

    model = Counting(2, 2)
    state = State(model, torch.optim.SGD(model.parameters(), lr=0.1))
    with pytest.raises(TrainingError, match="no tensor"):
        checkpoint.save(tmp_path / "one", state, RECIPE, History(), Best(0, {}, {}))
    state = state_of()
    state.optimizer.state[state.model[0].weight] = {"generator": object()}
    with pytest.raises(TrainingError, match="cannot hold"):
        checkpoint.save(tmp_path / "one", state, RECIPE, History(), best_of(state))


# --- damage ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "one.safetensors"
    state = state_of(average=True)
    stepped(state, 3)
    checkpoint.save(path, state, RECIPE, history_of(3), best_of(state))
    return path.read_bytes()


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_a_changed_byte_or_a_missing_end_is_refused_in_one_readable_error(tmp_path_factory, whole, data):
    path = tmp_path_factory.mktemp("damaged") / "one.safetensors"
    if data.draw(st.booleans()):
        damaged = whole[: data.draw(st.integers(0, len(whole) - 1))]
    else:
        place = data.draw(st.one_of(st.integers(0, 400), st.integers(0, len(whole) - 1)))
        damaged = whole[:place] + bytes([whole[place] ^ data.draw(st.integers(1, 255))]) + whole[place + 1 :]
    path.write_bytes(damaged)
    with pytest.raises(DataError, match="cannot be read") as problem:
        checkpoint.load(path)
    assert "\n" not in problem.value.found


@settings(max_examples=40, deadline=None)
@given(content=st.binary(max_size=200))
def test_any_other_file_is_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("foreign") / "one.safetensors"
    path.write_bytes(content)
    with pytest.raises(DataError):
        checkpoint.load(path)


def test_a_foreign_safetensors_file_a_pickle_and_a_missing_one_are_refused(tmp_path):
    save_file({"model/weight": torch.ones(2)}, tmp_path / "foreign", metadata={"ursa": json.dumps({"format": 1})})
    torch.save({"model": torch.ones(2)}, tmp_path / "pickle")
    for name in ("foreign", "pickle", "missing"):
        with pytest.raises(DataError, match="cannot be read"):
            checkpoint.load(tmp_path / name)


def test_weights_alone_are_no_checkpoint(tmp_path):
    checkpoint.save_weights(tmp_path / "weights", {"a": torch.ones(2)})
    assert torch.equal(checkpoint.load_weights(tmp_path / "weights")["a"], torch.ones(2))
    with pytest.raises(DataError, match="cannot be read"):
        checkpoint.load(tmp_path / "weights")


def test_a_checkpoint_of_a_newer_ursa_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr("ursa.training.checkpoints.tensor_file.FORMAT", 2)
    state = state_of()
    checkpoint.save(tmp_path / "one", state, RECIPE, History(), best_of(state))
    monkeypatch.undo()
    with pytest.raises(DataError, match="newer Ursa"):
        checkpoint.load(tmp_path / "one")


# --- a folder of them ------------------------------------------------------------------------------------------------


def folder_with(place, *, keep=2, steps=(2, 4, 6), bests=(0, 1, 1), **settings):
    checkpoints, state = Checkpoints(place, keep=keep, **settings), state_of()
    for until, epoch in zip(steps, bests, strict=True):
        stepped(state, until - state.step)
        checkpoints.save(state, RECIPE, history_of(state.step), best_of(state, epoch))
    return checkpoints, state


def test_the_newest_are_kept_with_the_best_weights_that_they_need(tmp_path):
    checkpoints, _ = folder_with(tmp_path, steps=(2, 4, 6, 7), bests=(0, 1, 1, 2))
    names = sorted(path.name.removesuffix(".safetensors") for path in tmp_path.iterdir())
    assert names == ["best-00001", "best-00002", "step-000000006-best-00001", "step-000000007-best-00002"]
    assert checkpoints.last().step == 7
    assert checkpoints.best().epoch == 2


def test_best_weights_are_written_only_when_they_change(tmp_path):
    checkpoints, state = folder_with(tmp_path, steps=(2,), bests=(1,))
    before = (tmp_path / "best-00001.safetensors").stat().st_mtime_ns
    stepped(state, 1)
    checkpoints.save(state, RECIPE, history_of(3), best_of(state, 1))
    assert (tmp_path / "best-00001.safetensors").stat().st_mtime_ns == before


@pytest.mark.parametrize("damaged", ["step-000000006-best-00001", "best-00001"])
def test_a_damaged_one_falls_back_to_the_one_before(tmp_path, damaged):
    checkpoints, state = folder_with(tmp_path, steps=(4, 6), bests=(0, 1))
    path = tmp_path / f"{damaged}.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    assert checkpoints.last().step == 4
    other = state_of(seed=1)
    checkpoints.resume(other, RECIPE)
    assert other.step == 4
    stepped(other, 1)
    checkpoints.save(other, RECIPE, history_of(5), best_of(other, 0))
    stepped(other, 1)
    checkpoints.save(other, RECIPE, history_of(6), best_of(other, 1))
    assert Checkpoints(tmp_path).last().step == 6
    assert_same(state, other)


def test_where_all_are_damaged_it_is_said(tmp_path):
    checkpoints, _ = folder_with(tmp_path)
    for path in tmp_path.glob("step-*"):
        path.write_bytes(b"")
    with pytest.raises(DataError, match="no checkpoint in"):
        checkpoints.last()


def test_an_empty_folder_has_none(tmp_path):
    checkpoints = Checkpoints(tmp_path / "none")
    assert (checkpoints.exist(), checkpoints.last(), checkpoints.best()) == (False, None, None)


def test_other_data_and_another_recipe_are_refused_with_what_differs(tmp_path):
    folder_with(tmp_path, data="480 bears")
    with pytest.raises(TrainingError, match="other data") as problem:
        Checkpoints(tmp_path, data="481 bears").resume(state_of(), RECIPE)
    assert problem.value.found == "480 bears; now 481 bears"
    with pytest.raises(TrainingError, match="another recipe") as problem:
        Checkpoints(tmp_path, data="480 bears").resume(state_of(), Recipe.of(epochs=5, batch_size=4, max_grad_norm=0.0))
    assert problem.value.found == "optim.epochs 4, now 5"


def test_clearing_removes_checkpoints_and_nothing_else(tmp_path):
    checkpoints, _ = folder_with(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "step-1.safetensors.0123abcd.part").write_text("half")
    checkpoints.clear()
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    "wrong", [{"keep": 0}, {"every_steps": -1}, {"every_seconds": 0}, {"every_seconds": float("nan")}]
)
def test_settings_that_make_no_sense_are_refused(tmp_path, wrong):
    with pytest.raises(TrainingError):
        Checkpoints(tmp_path, **wrong)


def test_by_the_clock_or_by_steps(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("ursa.training.checkpoints.checkpoint_folder.time.monotonic", lambda: now[0])
    by_clock, by_steps = Checkpoints(tmp_path, every_seconds=60), Checkpoints(tmp_path, every_steps=5)
    assert [by_steps.due(step) for step in (4, 5, 6, 10)] == [False, True, False, True]
    assert not by_clock.due(1)
    now[0] += 60
    assert by_clock.due(1)
    by_clock._saved, by_clock._cost = now[0], 1.0
    now[0] += 19
    assert not by_clock.due(2, ends_epoch=True)  # saving at every such epoch would take more than 5 % of the time
    now[0] += 1
    assert by_clock.due(2, ends_epoch=True)


def test_a_full_disk_leaves_the_one_before_whole(disk):
    place = disk("400k")
    checkpoints, state = folder_with(place / "run", steps=(2,), bests=(0,))
    filler = place / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    stepped(state, 1)
    with pytest.raises(DataError, match="no space left"):
        checkpoints.save(state, RECIPE, history_of(3), best_of(state, 1))
    assert Checkpoints(place / "run").last().step == 2
    filler.unlink()
    checkpoints.save(state, RECIPE, history_of(3), best_of(state, 1))
    assert Checkpoints(place / "run").last().step == 3


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is of POSIX")
def test_a_kill_in_the_middle_of_writing_leaves_a_whole_one(tmp_path):
    code = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_checkpoint import *
checkpoints, state = folder_with(Path({str(tmp_path)!r}), steps=(1,), bests=(0,))
print("ready", flush=True)
while True:
    state.step += 1
    checkpoints.save(state, RECIPE, history_of(400), best_of(state, state.step % 9))
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        time.sleep(0.15)
        process.send_signal(signal.SIGKILL)
    found = Checkpoints(tmp_path).last()
    assert found.step >= 1
    other = state_of(seed=2)
    Checkpoints(tmp_path).resume(other, RECIPE)
    assert other.step == found.step


@pytest.mark.parametrize(
    "change",
    [{"step": -1}, {"step": "many"}, {"epochs": [{"loss": "low"}]}, {"epochs": [7]}, {"best": [0, []]}, {"best": None}],
)
def test_a_document_that_says_no_sense_is_damage(tmp_path, change):
    from ursa.training.checkpoints import tensor_file

    document = {"step": 0, "recipe": {}, "data": "", "epochs": [], "stopped": None, "best": [0, {}], "seconds": 0.0}
    document |= {"optimizer": {"dict": []}, "average": None, "scaler": None}
    history = {"history": torch.zeros(0, 4, dtype=torch.float64)}
    tensor_file.write(tmp_path / "whole", history, document)
    assert checkpoint.load(tmp_path / "whole").step == 0
    tensor_file.write(tmp_path / "forged", history, {**document, **change})
    with pytest.raises(DataError, match="forged"):
        checkpoint.load(tmp_path / "forged")


def test_a_pipe_or_a_link_in_the_place_of_a_checkpoint_is_damage(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "pipe")
    for name in ("pipe", "link"):
        with pytest.raises(DataError, match=name):
            checkpoint.load(tmp_path / name)
