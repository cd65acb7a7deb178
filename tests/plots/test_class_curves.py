"""ROC and precision-recall curves that can be read, with the points that costs imply."""

import numpy as np
import pytest

from ursa import plots
from ursa.core.decisions import Costs
from ursa.diagnose.operating_points import class_curves
from ursa.errors import DataError


def curves(classes=3, count=300, costs=None, seed=0):
    random = np.random.default_rng(seed)
    targets = random.integers(classes, size=count)
    likely = random.dirichlet(np.ones(classes), count) + 0.5 * np.eye(classes)[targets]
    names = [f"class {k}" for k in range(classes)]
    return class_curves(likely / likely.sum(1, keepdims=True), targets, names, costs)


@pytest.mark.parametrize("draw", [plots.roc, plots.precision_recall])
@pytest.mark.parametrize("classes", [2, 7, 15])
def test_every_text_can_be_read_and_every_class_is_drawn(draw, classes, legible):
    texts = legible(draw(curves(classes)))
    assert sum("class " in text and "%" in text for text in texts) == min(classes, 12)
    assert any("3 more classes" in text for text in texts) == (classes == 15)
    assert {"0 %", "25 %", "50 %", "75 %", "100 %"} <= set(texts)


def test_points_are_where_the_costs_put_them():
    found = curves(costs={"class 1": Costs(4, 1)})
    axes = plots.roc(found).axes[0]
    (dot,) = [line for line in axes.lines if line.get_marker() == "o"]
    point = found[1].point
    assert (dot.get_xdata()[0], dot.get_ydata()[0]) == (point.false_alarms.value, point.recall.value)
    (dot,) = [line for line in plots.precision_recall(found).axes[0].lines if line.get_marker() == "o"]
    assert (dot.get_xdata()[0], dot.get_ydata()[0]) == (point.recall.value, point.precision.value)


def test_nothing_to_draw_is_refused():
    with pytest.raises(DataError, match="no class with pictures"):
        plots.roc(curves(count=1))
