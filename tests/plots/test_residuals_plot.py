"""Residuals: every point where it belongs, the line of middles bends where errors go one way."""

import numpy as np
import pytest
from sklearn.metrics import r2_score

from ursa import plots
from ursa.errors import DataError


def drawn(count=200, bend=0.0, seed=0):
    draw = np.random.default_rng(seed)
    predicted = draw.uniform(0, 10, count)
    return predicted, predicted + draw.normal(0, 0.5, count) + bend * (predicted - 5) ** 2


def test_points_are_true_minus_predicted_and_the_words_are_those_of_scikit_learn(legible):
    predicted, true = drawn()
    figure = plots.residuals(predicted, true, "price")
    points = figure.axes[0].lines[1].get_xydata()
    assert points[:, 0].tolist() == predicted.tolist() and points[:, 1] == pytest.approx(true - predicted)
    words = " ".join(legible(figure))
    assert "Residuals of price" in words and f"R2 {r2_score(true, predicted):.3g}" in words


@pytest.mark.parametrize(("bend", "bent"), [(0.0, False), (0.2, True)])
def test_the_line_of_middles_bends_where_errors_do(bend, bent):
    middles = plots.residuals(*drawn(bend=bend)).axes[0].lines[2].get_ydata()
    assert len(middles) == 10 and (np.ptp(middles) > 2) == bent


def test_columns_are_taken_as_rows_few_points_have_no_line_and_what_does_not_fit_is_refused(legible):
    predicted, true = drawn(8)
    assert len(plots.residuals(predicted[:, None], true[:, None]).axes[0].lines) == 2
    legible(plots.residuals([1.0, 1.0], [2.0, 2.0]))
    for wrong in (
        (predicted, true[:-1]),
        ([1.0], [1.0]),
        (np.ones((4, 2)), np.ones((4, 2))),
        ([1.0, np.nan], [1.0, 2.0]),
    ):
        with pytest.raises(DataError) as refused:
            plots.residuals(*wrong)
        assert refused.value.fix
