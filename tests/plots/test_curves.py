"""Figures of schedules and histories: the lines are the numbers given; long, short and broken runs can be drawn."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ursa.errors import DataError
from ursa.plots import curves


def run(epochs=3, per_epoch=10, **extra):
    """A history as training writes it, with the epoch before the first step."""
    count = epochs * per_epoch
    steps = [
        {"step": i + 1, "epoch": i // per_epoch, "loss": 2 - i / count, "lr": 0.1 * (i + 1), **extra}
        for i in range(count)
    ]
    rows = [
        {"epoch": e, "train_loss": 2 - e / 10, "valid_loss": 3 - e / 10, "accuracy": e / 10, "seconds": 1.0}
        for e in range(1, epochs + 1)
    ]
    return SimpleNamespace(steps=steps, epochs=[{"epoch": 0, "valid_loss": 3.0, "accuracy": 0.0}, *rows])


def lines(axes):
    return {line.get_label(): np.asarray(line.get_xydata()) for line in axes.lines}


def names(figure):
    return [axes.get_ylabel() for axes in figure.axes]


def test_a_schedule_is_drawn_at_every_step():
    figure = curves.schedule(lambda done: 1 - done, steps=5)
    (line,) = lines(figure.axes[0]).values()
    assert line.tolist() == [[0, 1], [25, 0.75], [50, 0.5], [75, 0.25], [100, 0]]


def test_several_schedules_are_named():
    figure = curves.schedule({"down": lambda done: 1 - done, "up": lambda done: done})
    assert list(lines(figure.axes[0])) == ["down", "up"]
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["down", "up"]


def test_a_history_shows_losses_by_step_and_by_epoch_metrics_and_rate():
    history = run()
    figure = curves.history(history)
    assert names(figure) == ["loss", "accuracy", "lr"]
    raw, training, validation = lines(figure.axes[0]).values()
    assert raw[:, 1].tolist() == [step["loss"] for step in history.steps]
    assert raw[[0, 9, -1], 0].tolist() == [0.1, 1.0, 3.0]  # in epochs, where each step ended
    assert len(training) == 30
    assert validation.tolist() == [[e["epoch"], e["valid_loss"]] for e in history.epochs]
    (accuracy,) = lines(figure.axes[1]).values()
    assert accuracy.tolist() == [[e["epoch"], e["accuracy"]] for e in history.epochs]
    (lr,) = lines(figure.axes[2]).values()
    assert lr[:, 1].tolist() == [step["lr"] for step in history.steps]


def test_metrics_beyond_0_to_1_have_a_panel_of_their_own_and_momentum_is_drawn_where_there_is_one():
    history = run(momentum=0.9)
    history.epochs = [{**epoch, "f1": 0.5, "rmse": 3 + epoch["epoch"]} for epoch in history.epochs]
    assert names(curves.history(history)) == ["loss", "accuracy, f1", "rmse", "lr", "momentum"]


@pytest.mark.parametrize(
    "history",
    [
        run(1, 1),
        SimpleNamespace(steps=run().steps[:4], epochs=run().epochs[:1]),  # stopped in the first epoch
        SimpleNamespace(steps=run().steps[:14], epochs=[]),  # not evaluated
        SimpleNamespace(steps=[], epochs=run().epochs[:1]),
        SimpleNamespace(steps=[{**s, "loss": math.nan if s["step"] > 20 else 1.0} for s in run().steps], epochs=[]),
        SimpleNamespace(steps=[{**s, "loss": math.inf} for s in run().steps], epochs=run().epochs),
        SimpleNamespace(steps=[{**s, "loss": 10.0 ** -s["step"]} for s in run().steps], epochs=[]),
    ],
    ids=["one step", "an epoch's part", "no validation", "no steps", "diverged", "never finite", "many magnitudes"],
)
def test_every_run_can_be_drawn(history):
    assert curves.history(history).png().startswith(b"\x89PNG")


def test_a_long_run_is_thinned_but_keeps_its_ends():
    figure = curves.history(run(10, 1000))
    raw = next(iter(lines(figure.axes[0]).values()))
    assert len(raw) == curves.POINTS
    assert raw[0, 1] == 2 and raw[-1, 0] == 10


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=50), st.floats(1, 30))
def test_smoothing_stays_between_the_values_so_far_and_keeps_a_constant(values, over):
    out = curves.smooth(values, over)
    for i, mean in enumerate(out):
        assert min(values[: i + 1]) - 1e-9 <= mean <= max(values[: i + 1]) + 1e-9
    assert curves.smooth([7.0] * len(values), over) == pytest.approx([7.0] * len(values))
    assert curves.smooth(values, 1) == pytest.approx(values)


def test_smoothing_leaves_out_what_is_no_number():
    assert curves.smooth([math.nan, 1.0, math.inf, 3.0], 1).tolist()[1:] == [1.0, 1.0, 3.0]


@pytest.mark.parametrize(
    "attempt",
    [
        lambda: curves.history(SimpleNamespace(steps=[], epochs=[])),
        lambda: curves.schedule({}),
        lambda: curves.schedule(lambda done: done, steps=1),
    ],
)
def test_nothing_to_draw_is_an_error(attempt):
    with pytest.raises(DataError):
        attempt()
