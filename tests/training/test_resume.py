"""Surviving: a run that was killed, interrupted or out of disk, and resumed, ends as if nothing had happened."""

import contextlib
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ursa.errors import DataError, TrainingError
from ursa.recipe import Recipe
from ursa.training.batches.array_batches import ArrayBatches
from ursa.training.checkpoints.checkpoint_folder import Checkpoints
from ursa.training.fit import Observer, fit
from ursa.training.loop import State
from ursa.training.optim.ema import EMA
from ursa.training.optim.optimizers import Group, make

RECIPE = Recipe.of(epochs=4, batch_size=8, max_grad_norm=1.0)  # 6 steps an epoch, the last one of 4 examples
STEPS = 24


def data():
    draw = torch.Generator().manual_seed(1)
    x = torch.randn(44, 1, 6, 6, generator=draw)
    return x, (x.mean((1, 2, 3)) > 0).long()


def state(*, average=True, optimizer="adamw"):
    """With all that has a state: norms, dropout, momentum, an average."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.3), nn.Flatten())
        model.append(nn.Linear(64, 2))
    made = make(optimizer, [Group([model], 1e-2)], model=model)
    return State(model, made, average=EMA(model, 0.8) if average else None)


def evaluate(model):
    x, y = data()
    model.eval()
    with torch.inference_mode():
        said = model(x)
    return {
        "valid_loss": float(nn.functional.cross_entropy(said, y)),
        "accuracy": float((said.argmax(1) == y).float().mean()),
    }


class crashing:  # noqa: N801 (reads as a word)
    """Batches, of which one cannot be had."""

    def __init__(self, batches, step):
        self.batches, self.at = batches, step

    def __len__(self):
        return len(self.batches)

    def epoch(self, epoch, first=0):
        for number, batch in enumerate(self.batches.epoch(epoch, first), epoch * len(self) + first):
            if number == self.at:
                raise ZeroDivisionError
            yield batch


def run(checkpoints=None, *, at=None, one=None, recipe=RECIPE, resume=True, evaluate=evaluate, **settings):
    """-> the history, the best epoch, a hash of the weights; with `at` it crashes before step at + 1."""
    one, x = one or state(), data()
    batches = ArrayBatches((x[0],), x[1], batch=recipe.optim.batch_size, seed=recipe.seed)
    history, best = fit(
        one,
        batches if at is None else crashing(batches, at),
        recipe,
        evaluate,
        checkpoints=checkpoints,
        resume=resume,
        **settings,
    )
    return ended(history, best, one.model)


def ended(history, best, model):
    digest = hashlib.sha256(b"".join(value.numpy().tobytes() for value in model.state_dict().values())).hexdigest()
    epochs = [{name: value for name, value in record.items() if name != "seconds"} for record in history.epochs]
    return {"steps": history.steps, "epochs": epochs, "stopped": history.stopped, "best": best.epoch, "weights": digest}


@pytest.fixture(scope="module")
def straight():
    return run()


def test_the_same_seed_gives_the_same_history_and_another_seed_another(straight):
    assert run() == straight
    assert run(recipe=Recipe.of(epochs=4, batch_size=8, max_grad_norm=1.0, seed=1)) != straight


def test_checkpoints_change_nothing(straight, tmp_path):
    assert run(Checkpoints(tmp_path, every_steps=1)) == straight


@settings(max_examples=12, deadline=None)
@given(
    stops=st.lists(st.integers(0, STEPS - 1), min_size=1, max_size=4),
    every=st.integers(1, 9),
    kind=st.sampled_from([("adamw", True), ("sgd", False), ("rmsprop", True)]),
)
def test_a_run_that_crashed_anywhere_any_number_of_times_ends_as_one_that_did_not(tmp_path_factory, stops, every, kind):
    optimizer, average = kind
    folder = tmp_path_factory.mktemp("run")
    for stop in sorted(stops):
        with pytest.raises(ZeroDivisionError):
            run(Checkpoints(folder, every_steps=every), at=stop, one=state(optimizer=optimizer, average=average))
        torch.manual_seed(stop)  # whatever else has been drawn meanwhile
    resumed = run(Checkpoints(folder, every_steps=every), one=state(optimizer=optimizer, average=average))
    assert resumed == run(one=state(optimizer=optimizer, average=average))


def test_a_crash_while_evaluating_loses_nothing(straight, tmp_path):
    calls = []

    def fragile(model):
        calls.append(1)
        if len(calls) == 3:
            raise ZeroDivisionError
        return evaluate(model)

    with pytest.raises(ZeroDivisionError):
        run(Checkpoints(tmp_path, every_steps=5), evaluate=fragile)
    assert run(Checkpoints(tmp_path, every_steps=5)) == straight


def test_resuming_a_finished_run_gives_its_result_without_a_step(straight, tmp_path):
    run(Checkpoints(tmp_path))
    assert run(Checkpoints(tmp_path), at=0) == straight


def test_a_folder_with_a_run_is_not_overwritten_without_being_asked(tmp_path):
    run(Checkpoints(tmp_path))
    with pytest.raises(TrainingError, match="holds the checkpoints of a run") as problem:
        run(Checkpoints(tmp_path), resume=False)
    assert "resume=True" in problem.value.fix


def test_resuming_with_other_settings_says_which(tmp_path):
    run(Checkpoints(tmp_path))
    with pytest.raises(TrainingError, match="another recipe") as problem:
        run(Checkpoints(tmp_path), recipe=Recipe.of(epochs=9, batch_size=4, max_grad_norm=1.0))
    assert problem.value.found == "optim.epochs 4, now 9; optim.batch_size 8, now 4"


def test_early_stopping_stays_stopped_and_counts_over_a_crash(tmp_path):
    recipe = Recipe.of(epochs=4, batch_size=8, max_grad_norm=1.0, patience=1)
    values = iter([3.0, 2.0, 2.5, 1.0, 0.5])

    def measured(model):
        model.eval()
        return {"valid_loss": next(values)}

    with pytest.raises(ZeroDivisionError):
        run(Checkpoints(tmp_path, every_steps=2), at=8, recipe=recipe, evaluate=measured)
    stopped = run(Checkpoints(tmp_path, every_steps=2), recipe=recipe, evaluate=measured)
    assert (stopped["stopped"], stopped["best"], len(stopped["steps"])) == ("no better", 1, 12)
    assert run(Checkpoints(tmp_path), at=0, recipe=recipe, evaluate=measured) == stopped


def test_a_full_disk_ends_the_run_and_with_space_it_goes_on_exactly(straight, disk):
    place = disk("600k")
    filler = place / "filler"

    class Filling(Observer):
        def step(self, step):
            if step["step"] == 9 and not filler.exists():
                with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
                    while file.write(bytes(4096)):
                        pass

    checkpoints = Checkpoints(place / "run", every_steps=1)
    with pytest.raises(DataError, match="no space left"):
        run(checkpoints, observers=[Filling()])
    filler.unlink()
    assert Checkpoints(place / "run").last().step == 8
    assert run(Checkpoints(place / "run", every_steps=1)) == straight


CHILD = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
import test_resume as t
from ursa.training.checkpoints.checkpoint_folder import Checkpoints
class Slow(t.Observer):
    def step(self, step):
        time.sleep(0.01)
        if step["step"] == 2: print("going", flush=True)
ended = t.run(Checkpoints(t.Path(sys.argv[2]), every_steps=1), observers=[Slow()])
print(json.dumps(ended), flush=True)
"""


def child(folder):
    command = [sys.executable, "-c", CHILD, str(Path(__file__).parent), str(folder)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}  # the same sums
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL is of POSIX")
def test_killed_twice_at_any_moment_and_resumed_it_ends_as_if_nothing_had_happened(straight, tmp_path):
    waits = random.Random(time.time_ns())
    for first in (True, False):
        with child(tmp_path) as process:
            if first:
                assert process.stdout.readline() == "going\n"
                time.sleep(waits.uniform(0, 0.1))
            else:
                time.sleep(waits.uniform(0, 2))  # perhaps before it has begun, or when it is done
            process.send_signal(signal.SIGKILL)
    with child(tmp_path) as process:
        said, _ = process.communicate(timeout=60)
    assert json.loads(said.splitlines()[-1]) == straight


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_ctrl_c_ends_after_the_step_with_the_best_weights_and_a_checkpoint(straight, tmp_path):
    with child(tmp_path) as process:
        assert process.stdout.readline() == "going\n"
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    stopped = json.loads(said)
    assert process.returncode == 0
    assert stopped["stopped"] == "interrupted"
    assert 2 <= len(stopped["steps"]) < STEPS
    assert stopped["steps"] == straight["steps"][: len(stopped["steps"])]
    assert Checkpoints(tmp_path).last().step == len(stopped["steps"])
    assert run(Checkpoints(tmp_path)) == straight
