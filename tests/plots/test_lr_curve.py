"""The figure of a range test: every repeat is there, the suggestion where it belongs, divergence shaded."""

import math

import numpy as np
import pytest
from matplotlib.colors import to_hex

from ursa.plots.figure import GREEN, RED
from ursa.plots.lr_curve import lr_find
from ursa.training.lr_finder.suggestion import Suggestion, Trial

RATES = np.geomspace(1e-7, 10, 100)


def found(*, diverged_at=1.0, trials=(), level=2.0, fall=1.5, repeats=3):
    curve = level - fall / (1 + np.exp(-(np.arange(100) - 50) / 4)) + 0.002 * np.maximum(0, np.arange(100) - 75) ** 2
    curves = np.stack([curve + 0.01 * level * number for number in range(repeats)])
    return Suggestion(RATES, curves, curves, 0.02, 0.01, 0.03, diverged_at, trials)


def words(figure):
    return [t.get_text() for t in (*figure.texts, *(t for axes in figure.axes for t in axes.texts))]


def lines(figure):
    return [np.asarray(line.get_data()) for line in figure.axes[0].lines]


@pytest.mark.parametrize("repeats", [1, 3, 5])
def test_all_repeats_are_thin_and_their_median_is_thick(repeats):
    figure = lr_find(found(repeats=repeats, diverged_at=None))
    curves = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 100]
    assert len(curves) == repeats + 1
    *thin, thick = curves
    assert all(line.get_linewidth() < thick.get_linewidth() / 2 for line in thin)
    np.testing.assert_allclose(thick.get_ydata(), np.median([line.get_ydata() for line in thin], 0))


def test_the_suggestion_and_its_spread_stand_where_they_belong_on_a_logarithmic_axis():
    figure = lr_find(found())
    axes = figure.axes[0]
    assert axes.get_xscale() == "log"
    assert any(set(x) == {0.02} for x, _ in (line for line in lines(figure) if line.shape[1] == 2))
    assert (0.01, 0.03) in [(p.get_x(), pytest.approx(p.get_x() + p.get_width())) for p in axes.patches]
    assert words(figure)[0] == "Learning rate 0.02"
    assert "0.01 to 0.03" in words(figure)[1]


@pytest.mark.parametrize("lr", [0.01, 1.0, 8.0])
def test_divergence_is_shaded_and_named_and_curves_end_there(lr):
    figure = lr_find(found(diverged_at=lr))
    assert any(p.get_x() == lr for p in figure.axes[0].patches)
    assert any("diverges" in text for text in words(figure))
    assert max(x.max() for x, _ in lines(figure) if x.size > 2) <= lr


def test_without_divergence_nothing_is_shaded_or_named():
    figure = lr_find(found(diverged_at=None))
    assert len(figure.axes[0].patches) == 1
    assert not any("diverges" in text for text in words(figure))


def test_trials_that_went_through_are_dots_inside_the_figure():
    trials = (Trial(0.007, 0.4), Trial(0.02, 0.3), Trial(0.06, math.inf))
    figure = lr_find(found(trials=trials))
    dots = next(line for line in figure.axes[0].lines if line.get_marker() == "o")
    assert [*zip(*dots.get_data(), strict=True)] == [(0.007, 0.4), (0.02, 0.3)]
    low, high = figure.axes[0].get_ylim()
    assert low < 0.3 and high > 0.4
    assert "3 short runs" in words(figure)[2]


def test_a_flat_curve_is_drawn_too():
    curves = np.ones((3, 100))
    lr_find(Suggestion(RATES, curves, curves, 0.02, 0.02, 0.02, None)).png()


# --- what it says --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trials", "said"),
    [
        ((Trial(0.02, 0.4),), "dots: held-out loss after 1 short run with that max_lr"),
        ((Trial(0.01, 0.4), Trial(0.02, 0.3)), "dots: held-out loss after 2 short runs with that max_lr"),
        (
            (Trial(0.01, 0.4), Trial(0.02, math.inf), Trial(0.03, math.nan)),
            "dots: held-out loss after 3 short runs with that max_lr; 2 diverged",
        ),
    ],
)
def test_a_trial_that_diverged_has_no_dot_and_is_said(trials, said, legible):
    figure = lr_find(found(trials=trials))
    assert said in legible(figure)
    dots = next(line for line in figure.axes[0].lines if line.get_marker() == "o")
    assert len(dots.get_xdata()) == sum(math.isfinite(trial.loss) for trial in trials)


def test_repeats_are_counted_and_a_single_one_has_no_median():
    assert words(lr_find(found(repeats=3)))[1] == "0.01 to 0.03; thin: 3 repeats, thick: their median"
    assert words(lr_find(found(repeats=1)))[1] == "0.01 to 0.03; one repeat"


def test_without_trials_there_is_no_line_about_dots_and_no_dot():
    figure = lr_find(found())
    assert not any("dots" in word for word in words(figure))
    assert not len(next(line for line in figure.axes[0].lines if line.get_marker() == "o").get_xdata())


@pytest.mark.parametrize(("level", "fall"), [(1e-6, 0.9), (1.0, 0.9), (2.3, 1e-4), (1e5, 0.9), (1e5, 1e-4)])
def test_numbers_beside_the_axis_differ_and_nothing_overlaps(level, fall, legible):
    figure = lr_find(found(level=level, fall=fall * level))
    legible(figure)
    texts = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert len(set(texts)) == len(texts) >= 2


def test_the_suggestion_is_green_divergence_red_and_the_axis_is_that_of_the_rates():
    axes = lr_find(found(diverged_at=0.5)).axes[0]
    assert axes.get_xlim() == (RATES[0], RATES[-1])
    band, shade = sorted(axes.patches, key=lambda patch: patch.get_x())
    assert (to_hex(band.get_facecolor()), to_hex(shade.get_facecolor())) == (GREEN, RED)
    assert shade.get_x() + shade.get_width() == pytest.approx(RATES[-1])
    (mark,) = [line for line in axes.lines if set(line.get_xdata()) == {0.02} and line.get_marker() != "o"]
    assert to_hex(mark.get_color()) == GREEN
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("learning rate", "loss")


def test_the_whole_fall_and_some_of_the_rise_are_shown():
    curve = np.concatenate([np.full(60, 2.0), np.linspace(2, 1, 20), np.linspace(1, 500, 20)])
    rising = Suggestion(RATES, curve[None], curve[None], RATES[70], RATES[70], RATES[70], None)
    low, high = lr_find(rising).axes[0].get_ylim()
    assert low < 1 and 2.2 < high < 3  # not 500, in which the fall would be a line


def test_a_repeat_that_went_astray_does_not_move_the_thick_line():
    curves = np.stack([np.full(100, 1.0), np.full(100, 1.1), np.full(100, 50.0)])
    thick = lr_find(Suggestion(RATES, curves, curves, 0.1, 0.1, 0.1, None)).axes[0].lines[3]
    assert set(thick.get_ydata()) == {1.1}


def test_a_loss_below_zero_is_shown_too():
    curve = -1 - np.linspace(0, 3, 100)
    low, high = lr_find(Suggestion(RATES, curve[None], curve[None], 0.1, 0.1, 0.1, None)).axes[0].get_ylim()
    assert low < -4 and high > -1


def test_what_was_measured_is_not_changed():
    measured = found()
    before = measured.smoothed.copy(), measured.lrs.copy()
    lr_find(measured).png()
    np.testing.assert_array_equal(measured.smoothed, before[0])
    np.testing.assert_array_equal(measured.lrs, before[1])
