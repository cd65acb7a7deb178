"""Pictures, batches, catalogs, histories -> figures, to look at before, while and after learning.

>>> from ursa import plots
>>> plots.show_batch(catalog).save("batch.png")      # in a notebook, the last value of a cell is shown

Every function returns a `Figure`. Nothing here touches matplotlib's global state, so figures can be made in threads and
servers, and none stays open. matplotlib is imported when the first figure is made.
"""

import importlib
from typing import TYPE_CHECKING, Any

from ursa import renamed

if TYPE_CHECKING:
    from ursa.plots.accuracy_by_size import learning_curve as learning_curve
    from ursa.plots.batch_grid import patch as patch
    from ursa.plots.batch_grid import show as show
    from ursa.plots.batch_grid import show_batch as show_batch
    from ursa.plots.batch_grid import with_probabilities as with_probabilities
    from ursa.plots.class_curves import precision_recall as precision_recall
    from ursa.plots.class_curves import roc as roc
    from ursa.plots.curves import history as history
    from ursa.plots.curves import schedule as schedule
    from ursa.plots.figure import Figure as Figure
    from ursa.plots.lr_curve import lr_find as lr_find
    from ursa.plots.means import statistics as statistics
    from ursa.plots.overview import class_counts as class_counts
    from ursa.plots.overview import mean_pictures as mean_pictures
    from ursa.plots.overview import sizes as sizes
    from ursa.plots.reliability_diagram import reliability as reliability
    from ursa.plots.residuals_plot import residuals as residuals

_HOME = {
    "Figure": "figure",
    "class_counts": "overview",
    "history": "curves",
    "learning_curve": "accuracy_by_size",
    "lr_find": "lr_curve",
    "mean_pictures": "overview",
    "patch": "batch_grid",
    "precision_recall": "class_curves",
    "reliability": "reliability_diagram",
    "residuals": "residuals_plot",
    "roc": "class_curves",
    "schedule": "curves",
    "show": "batch_grid",
    "show_batch": "batch_grid",
    "sizes": "overview",
    "statistics": "means",
    "with_probabilities": "batch_grid",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise renamed.gone(name, __name__)
    return getattr(importlib.import_module(f"ursa.plots.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)
