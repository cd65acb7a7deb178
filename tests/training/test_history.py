"""What happened in a run: losses read many at once, an epoch's mean, what counts as run away, documents and texts."""

import json
import math

import pytest
import torch

from ursa.training import history as module
from ursa.training.history import AT_ONCE, EXPLODED, History
from ursa.training.loop import Step


def step(number, loss=1.0, epoch=0, ends=False, lr=0.1):
    return Step(number, epoch, 10, torch.tensor(loss), lr, ends)


def filled(*losses, per_epoch=3):
    found = History()
    for number, loss in enumerate(losses, 1):
        found.add(step(number, loss, (number - 1) // per_epoch))
    found.read()
    return found


def test_it_is_time_to_read_at_the_end_of_an_epoch_or_after_so_many_steps():
    found = History()
    assert [found.add(step(n)) for n in range(1, AT_ONCE + 1)] == [False] * (AT_ONCE - 1) + [True]
    assert found.steps == []  # nothing was waited for yet
    found.read()
    assert not found.add(step(AT_ONCE + 1))
    assert found.add(step(AT_ONCE + 2, ends=True))


def test_what_is_read_is_every_step_once_in_order():
    found = filled(3.0, 2.0)
    found.add(step(3, 1.0, lr=0.05))
    assert len(found.steps) == 2 and len(found.unread) == 1
    assert found.read() is None and found.unread == []
    assert found.read() is None
    assert [s["step"] for s in found.steps] == [1, 2, 3]
    assert found.steps[2] == {"step": 3, "epoch": 0, "loss": 1.0, "lr": 0.05}


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 2 * EXPLODED, -2 * EXPLODED])
def test_the_first_loss_that_is_no_number_or_beyond_all_measure_is_told(bad):
    found = History()
    for number, loss in enumerate([1.0, 0.5, bad, 0.5, math.nan], 1):
        found.add(step(number, loss))
    assert found.read().number == 3
    assert len(found.steps) == 5


@pytest.mark.parametrize(
    ("first", "loss", "told"), [(1e3, 1e14, False), (1e3, 1e16, True), (1e-9, 1e11, False), (-1e3, 1e14, False)]
)
def test_beyond_all_measure_is_relative_to_a_first_loss_above_1(first, loss, told):
    found = filled(first)
    found.add(step(2, loss))
    assert (found.read() is not None) == told


def test_the_loss_of_an_epoch_is_the_mean_of_its_steps_alone():
    found = filled(1.0, 2.0, 6.0, 10.0, 20.0)
    assert [found.train_loss(epoch) for epoch in range(3)] == [3, 15, 0]
    assert filled(4.0).train_loss(0) == 4


def test_a_document_gives_it_back_and_another_ones_past_can_be_taken():
    found = filled(1.0, 0.5)
    found.epochs = [{"epoch": 1, "train_loss": 0.75}]
    found.stopped = "time"
    back = History.from_json(json.loads(json.dumps(found.to_json())))
    assert (back.steps, back.epochs, back.stopped) == (found.steps, found.epochs, "time")
    other = filled(9.0)
    other.add(step(2))
    other.take(found)
    assert (other.steps, other.epochs, other.stopped, other.unread) == (found.steps, found.epochs, "time", [])
    assert History.from_json({"steps": [], "epochs": []}).stopped is None
    assert "unread" not in found.to_json()


def test_texts_are_short_and_hold_the_last_epoch():
    assert repr(History()) == "History(0 steps; no epoch yet)"
    found = filled(*[1.0] * 4)
    names = [f"m{i}" for i in range(module.COLUMNS + 2)]
    found.epochs = [{"epoch": 0}, {"epoch": 7}, {"epoch": 1, "seconds": 2.0, **dict.fromkeys(names, 0.123456)}]
    found.stopped = "interrupted"
    said = repr(found)
    assert said.startswith("History(4 steps; epoch 1, m0 0.1235") and said.endswith("; stopped: interrupted)")
    assert "seconds" not in said and names[module.COLUMNS - 2] in said and names[module.COLUMNS - 1] not in said


def test_a_notebook_shows_the_last_epochs_and_leaves_gaps_where_one_measured_less():
    found = History(epochs=[{"epoch": 0, "<a>": 0.5}, *({"epoch": i, "b": i / 7} for i in range(1, module.ROWS + 1))])
    page = found._repr_html_()
    assert page.count("<tr>") == 1 + module.ROWS
    assert "<th>&lt;a&gt;</th><th>b</th>" in page  # columns of all epochs, escaped
    assert f"<td>{module.ROWS}</td><td></td><td>{module.ROWS / 7:.4g}</td>" in page
