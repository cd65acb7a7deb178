"""Figures of schedules and histories: the lines are the numbers given; long, short and broken runs can be drawn."""

import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_hex

from ursa.errors import DataError
from ursa.plots import curves
from ursa.plots.figure import BLUE, ORANGE


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
    soft = curves.smooth([step["loss"] for step in history.steps], 30 / 40)
    assert training[:, 1].tolist() == soft.tolist()
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
    curves.history(history).draw_without_rendering()


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


# --- the axes ------------------------------------------------------------------------------------------------------


def labels(axis):
    return [text.get_text() for text in axis.get_ticklabels() if text.get_text()]


def test_all_panels_have_the_epochs_below_and_numbers_only_under_the_last():
    figure = curves.history(run(3, 10, momentum=0.9))
    figure.draw_without_rendering()
    assert {axes.get_xlim() for axes in figure.axes} == {(0, 3)}
    assert [axes.get_xlabel() for axes in figure.axes] == ["", "", "", "epochs"]
    numbered = [any(t.label1.get_visible() for t in axes.xaxis.get_major_ticks()) for axes in figure.axes]
    assert numbered == [False, False, False, True]
    places = [axes.get_position() for axes in figure.axes]
    assert all(one.y0 > other.y1 for one, other in itertools.pairwise(places))  # one above the other
    assert {round(one.x0, 6) for one in places} == {round(places[0].x0, 6)}


def test_a_run_that_was_only_evaluated_is_drawn_over_its_epochs():
    """Histories of which the steps were not kept: the axis ends at the last epoch, not at the first."""
    figure = curves.history(SimpleNamespace(steps=[], epochs=run(5).epochs))
    assert {axes.get_xlim() for axes in figure.axes} == {(0, 5)}
    assert names(figure) == ["loss", "accuracy"]
    first = curves.history(SimpleNamespace(steps=[], epochs=run().epochs[:1]))
    assert first.axes[0].get_xlim() == (0, 1)


def test_a_run_that_stopped_in_an_epoch_ends_where_it_stopped():
    figure = curves.history(SimpleNamespace(steps=run(3, 10).steps[:25], epochs=run(2).epochs))
    assert figure.axes[0].get_xlim() == (0, 2.5)


@settings(max_examples=8)
@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=30))
def test_smoothed_losses_and_validation_losses_lie_within_the_panel(losses):
    steps = [{"step": n + 1, "epoch": 0, "loss": loss, "lr": 1.0} for n, loss in enumerate(losses)]
    axes = curves.history(SimpleNamespace(steps=steps, epochs=[{"epoch": 1, "valid_loss": losses[0] + 1}])).axes[0]
    low, high = axes.get_ylim()
    _, training, validation = lines(axes).values()
    for heights in (training[:, 1], validation[:, 1]):
        assert low <= heights.min() and heights.max() <= high


def test_one_wild_step_does_not_squeeze_all_others():
    history = run(3, 100)
    history.steps[150] = {**history.steps[150], "loss": 50.0}
    soft = curves.smooth([step["loss"] for step in history.steps], 300 / 40)
    assert curves.history(history).axes[0].get_ylim()[1] < 1.2 * np.max(soft) < 15


def test_a_loss_near_zero_starts_at_zero_and_one_over_magnitudes_is_logarithmic():
    steps = [{"step": n + 1, "epoch": 0, "loss": 1 - n / 100, "lr": 1.0} for n in range(100)]
    axes = curves.history(SimpleNamespace(steps=steps, epochs=[])).axes[0]
    assert axes.get_ylim()[0] == 0 and axes.get_yscale() == "linear"
    small = [{**step, "loss": 10 ** (-step["step"] / 20)} for step in steps]
    axes = curves.history(SimpleNamespace(steps=small, epochs=[])).axes[0]
    assert axes.get_yscale() == "log" and axes.get_ylim()[0] > 0
    for ratio, scale in ((45, "linear"), (60, "log")):
        fallen = [{"epoch": 1, "valid_loss": 1.0}, {"epoch": 2, "valid_loss": 1 / ratio}]
        assert curves.history(SimpleNamespace(steps=[], epochs=fallen)).axes[0].get_yscale() == scale
    negative = [{**step, "loss": -1.0 - step["step"]} for step in steps]
    assert curves.history(SimpleNamespace(steps=negative, epochs=[])).axes[0].get_yscale() == "linear"


def test_a_loss_that_stands_still_is_drawn_as_one_and_the_numbers_beside_it_differ(legible):
    noise = np.random.default_rng(0).random(60) * 1e-4
    steps = [{"step": n + 1, "epoch": 0, "loss": 2.3 + more, "lr": 0.1} for n, more in enumerate(noise)]
    figure = curves.history(SimpleNamespace(steps=steps, epochs=[]))
    legible(figure)
    low, high = figure.axes[0].get_ylim()
    assert high - low > 0.02  # no mountains out of noise
    assert len(set(labels(figure.axes[0].yaxis))) == len(labels(figure.axes[0].yaxis)) >= 2


@pytest.mark.parametrize("history", [run(1, 1), run(2, 3), run(30, 2, momentum=0.9), run(500, 1)])
def test_no_text_of_a_history_lies_on_another(history, legible):
    said = legible(curves.history(history))
    assert said[0].endswith("steps") or said[0] == "1 epoch, 1 step"
    assert said[1].startswith("at the end: ") and said[-1] == "epochs"


def styles(axes):
    """How each line is drawn: color and dashes."""
    return {(to_hex(line.get_color()), str(line._dash_pattern)) for line in axes.lines}


@pytest.mark.parametrize(
    ("count", "name"), [(1, "f1_{}"), (5, "f1_{}"), (13, "f1_{}"), (7, "a_long_name_of_a_metric_{}")]
)
def test_any_number_of_metrics_has_its_legend_between_its_panel_and_the_one_above(count, name, legible):
    history = run(4)
    for epoch in history.epochs:
        epoch.pop("accuracy")
        epoch.update({name.format(n): 1 / (n + 2) for n in range(count)})
    figure = curves.history(history)
    legible(figure)
    metrics = figure.axes[1]
    assert list(lines(metrics)) == [name.format(n) for n in range(count)]
    assert len(styles(metrics)) == count  # each can be told from all others
    if count > 1:
        box, above = metrics.get_legend().get_window_extent(), figure.axes[0].get_window_extent()
        assert box.y1 <= above.y0 and box.x0 >= 0
        assert box.y0 >= metrics.get_window_extent().y1 - 25  # above its own lines: an eighth of an inch at most


def test_colors_mean_the_same_in_every_history():
    axes = curves.history(run()).axes[0]
    raw, training, validation = axes.lines
    assert (to_hex(training.get_color()), to_hex(validation.get_color())) == (BLUE, ORANGE)
    assert raw.get_linewidth() < training.get_linewidth() and raw.get_zorder() <= training.get_zorder()
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["training", "validation"]


def test_a_metric_that_is_nan_in_an_epoch_stays_among_the_shares():
    history = run()
    history.epochs = [{**epoch, "f1": math.nan if epoch["epoch"] == 0 else 0.5} for epoch in history.epochs]
    assert names(curves.history(history)) == ["loss", "accuracy, f1", "lr"]
    history.epochs = [{**epoch, "f1": math.nan} for epoch in history.epochs]
    assert names(curves.history(history)) == ["loss", "accuracy", "f1", "lr"]


def test_a_metric_of_some_epochs_is_drawn_where_it_was_measured():
    history = run(4)
    history.epochs[2]["f1"] = 0.5
    history.epochs[4]["f1"] = 0.7
    assert lines(curves.history(history).axes[1])["f1"].tolist() == [[2, 0.5], [4, 0.7]]


@pytest.mark.parametrize(
    ("epochs", "said"),
    [
        ([], "no epoch was completed"),
        ([{"epoch": 1, "seconds": 3.0}], "no epoch was completed"),
        ([{"epoch": 1, "train_loss": 0.123456, "seconds": 3.0}], "at the end: training loss 0.1235"),
        (
            [{"epoch": 1, "accuracy": 0.1}, {"epoch": 2, "valid_loss": 1.0, "accuracy": 0.95}],
            "at the end: validation loss 1, accuracy 0.95",
        ),
    ],
)
def test_the_outcome_is_that_of_the_last_epoch(epochs, said):
    figure = curves.history(SimpleNamespace(steps=run().steps, epochs=epochs))
    assert figure.texts[1].get_text() == said


def test_an_outcome_that_is_too_long_leaves_out_what_has_no_room():
    epochs = [{"epoch": 1, **{f"a_metric_with_a_long_name_{n}": 0.5 for n in range(9)}, "f1": 0.25}]
    said = curves.history(SimpleNamespace(steps=[], epochs=epochs)).texts[1].get_text()
    assert 0 < said.count("long_name") < 4 and said.endswith("f1 0.25")


@pytest.mark.parametrize(
    ("epochs", "steps", "said"),
    [
        (1, 1, "1 epoch, 1 step"),
        (2, 1, "2 epochs, 2 steps"),
        (0, 0, "0 epochs, 0 steps"),
        (3, 500, "3 epochs, 1,500 steps"),
    ],
)
def test_the_title_counts_what_was_trained_not_what_was_evaluated_before(epochs, steps, said):
    assert curves.history(run(epochs, steps)).texts[0].get_text() == said


# --- parts ---------------------------------------------------------------------------------------------------------


def test_the_dark_line_is_smoothed_over_about_a_fortieth_of_the_run():
    history = run(4, 100)
    history.steps[200] = {**history.steps[200], "loss": 9.0}
    drawn = lines(curves.history(history).axes[0])["training"][:, 1]
    assert drawn.tolist() == curves.smooth([step["loss"] for step in history.steps], 10).tolist()


def test_golden_smoothing():
    """Kingma and Ba 2015, section 3: a mean of exponential weights, divided by their sum."""
    assert curves.smooth([1, 2, 4], 2).tolist() == pytest.approx([1, (0.25 + 1) / 0.75, (0.125 + 0.5 + 2) / 0.875])
    assert np.isnan(curves.smooth([math.nan], 3)).all() and len(curves.smooth([], 3)) == 0


@given(st.integers(0, 10_000))
def test_thinned_rows_are_in_order_with_both_ends_and_evenly_spaced(count):
    rows = curves._thin(count)
    assert len(rows) == min(count, curves.POINTS)
    if count > 1:
        assert rows[0] == 0 and rows[-1] == count - 1
        assert np.diff(rows).min() >= 1 and np.ptp(np.diff(rows)) <= 1


def test_a_single_schedule_keeps_its_name_and_one_without_a_name_needs_no_legend():
    named = curves.schedule({"one_cycle": lambda done: done}).axes[0].get_legend()
    assert [text.get_text() for text in named.get_texts()] == ["one_cycle"]
    assert curves.schedule(lambda done: done).axes[0].get_legend() is None


@pytest.mark.parametrize("count", [1, 3, 4, 9, 13])
def test_any_number_of_schedules_can_be_told_apart(count, legible):
    figure = curves.schedule({f"schedule number {n}": (lambda done, n=n: done**n) for n in range(count)})
    legible(figure)
    axes = figure.axes[0]
    assert len(styles(axes)) == count
    assert axes.get_legend().get_window_extent().y1 < figure.texts[0].get_window_extent().y1
    for n, (name, line) in enumerate(lines(axes).items()):
        assert name == f"schedule number {n}"
        np.testing.assert_allclose(line[:, 1], (line[:, 0] / 100) ** n)


@pytest.mark.parametrize(("of", "steps"), [({}, 200), (lambda done: done, 1), (lambda done: done, 0)])
def test_a_schedule_of_no_steps_says_how_many_there_are(of, steps):
    with pytest.raises(DataError) as problem:
        curves.schedule(of, steps)
    assert f"{steps} steps" in problem.value.found


def test_a_constant_rate_is_shown_against_zero_and_a_changing_one_is_not():
    constant, changing = run(), run()
    for step in constant.steps:
        step["lr"] = 0.001
    low, high = curves.history(constant).axes[-1].get_ylim()
    assert low == 0 and high == pytest.approx(0.00125)
    assert curves.history(changing).axes[-1].get_ylim()[1] >= 3.0


@pytest.mark.parametrize(("epochs", "dots"), [(20, "o"), (200, "None")])
def test_many_epochs_are_a_line_not_a_worm_of_dots(epochs, dots):
    figure = curves.history(run(epochs, per_epoch=2))
    assert {axes.lines[-1].get_marker() for axes in figure.axes[:2]} == {dots}
