"""Ursa: from a folder of pictures to a classifier you can trust.

>>> import ursa
>>> result = ursa.check("bears")                        # findings, honest accuracy, a report
>>> ursa.backbones("bears", max_ms=20)                  # a short list measured on these pictures, and the pick
>>> ursa.review("bears")                                # the page to look at doubtful pictures and decide
>>> ursa.Labeling.open("flat").next_rows()              # pictures without labels: what to label next
>>> ursa.decide("bears", "black/7.jpg", label="brown")   # a correction; ursa.apply("bears") carries it out
>>> trained = ursa.train("bears", out="bears.ursa")     # probe, fine-tuning, verdict, bundle
>>> ursa.runs("bears")                                  # what was tried, what differed, how it did
>>> ursa.compare(1, 2, "bears")                         # whether the difference of two runs is one
>>> ursa.load("bears.ursa")("picture.jpg").label        # prediction, without torch
>>> ursa.quantize("bears.ursa", "bears")                # int8, if that is faster and as good
>>> ursa.containerize("bears.ursa", "online")           # a folder to build a container from
>>> ursa.export_web("bears.ursa", "site", "onnxruntime-web-1.30.0.tgz")  # a page that runs the model in the browser
>>> learner = ursa.Learner((x, y), ursa.models.mlp(64, 10))  # any network on any data
>>> learner.fit_one_cycle(5)

Everything is imported when it is first used, so `import ursa` costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

from ursa import renamed

if TYPE_CHECKING:
    from ursa import models as models
    from ursa.core.finding import Finding as Finding
    from ursa.core.statistics import Estimate as Estimate
    from ursa.data.sources.constructors import Catalog as Catalog
    from ursa.diagnose.explain.cam import grad_cam as grad_cam
    from ursa.diagnose.gaps import gaps as gaps
    from ursa.errors import BundleError as BundleError
    from ursa.errors import DataError as DataError
    from ursa.errors import TrainingError as TrainingError
    from ursa.errors import UrsaError as UrsaError
    from ursa.learner.learner import Learner as Learner
    from ursa.learner.loading import load as load
    from ursa.plots.batch_grid import show as show
    from ursa.plots.batch_grid import show_batch as show_batch
    from ursa.recipe import Recipe as Recipe
    from ursa.serve.prediction import Prediction as Prediction
    from ursa.serve.predictor import Predictor as Predictor
    from ursa.workflow.backbones import backbones as backbones
    from ursa.workflow.check import check as check
    from ursa.workflow.comparing.compare import compare as compare
    from ursa.workflow.comparing.run_table import runs as runs
    from ursa.workflow.deciding.apply import apply as apply
    from ursa.workflow.deciding.apply import revert as revert
    from ursa.workflow.deciding.decide import decide as decide
    from ursa.workflow.deciding.decide import decisions as decisions
    from ursa.workflow.deciding.reviewing import review as review
    from ursa.workflow.diagnose_history import diagnose_history as diagnose_history
    from ursa.workflow.download import download as download
    from ursa.workflow.error_analysis import error_analysis as error_analysis
    from ursa.workflow.evaluate import evaluate as evaluate
    from ursa.workflow.labeling.labeling import Labeling as Labeling
    from ursa.workflow.predicting.predict import predict as predict
    from ursa.workflow.shipping.bundle_card import card as card
    from ursa.workflow.shipping.containerize import containerize as containerize
    from ursa.workflow.shipping.export_web import export_web as export_web
    from ursa.workflow.shipping.quantize import quantize as quantize
    from ursa.workflow.train import train as train

__version__ = "0.2.0"

_HOME = {
    "BundleError": "ursa.errors",
    "Catalog": "ursa.data.sources.constructors",
    "DataError": "ursa.errors",
    "Finding": "ursa.core.finding",
    "Labeling": "ursa.workflow.labeling.labeling",
    "Learner": "ursa.learner.learner",
    "Estimate": "ursa.core.statistics",
    "Prediction": "ursa.serve.prediction",
    "Predictor": "ursa.serve.predictor",
    "Recipe": "ursa.recipe",
    "TrainingError": "ursa.errors",
    "UrsaError": "ursa.errors",
    "apply": "ursa.workflow.deciding.apply",
    "backbones": "ursa.workflow.backbones",
    "card": "ursa.workflow.shipping.bundle_card",
    "check": "ursa.workflow.check",
    "compare": "ursa.workflow.comparing.compare",
    "containerize": "ursa.workflow.shipping.containerize",
    "diagnose_history": "ursa.workflow.diagnose_history",
    "decide": "ursa.workflow.deciding.decide",
    "decisions": "ursa.workflow.deciding.decide",
    "download": "ursa.workflow.download",
    "error_analysis": "ursa.workflow.error_analysis",
    "evaluate": "ursa.workflow.evaluate",
    "export_web": "ursa.workflow.shipping.export_web",
    "gaps": "ursa.diagnose.gaps",
    "grad_cam": "ursa.diagnose.explain.cam",
    "load": "ursa.learner.loading",
    "models": "ursa",
    "predict": "ursa.workflow.predicting.predict",
    "quantize": "ursa.workflow.shipping.quantize",
    "runs": "ursa.workflow.comparing.run_table",
    "revert": "ursa.workflow.deciding.apply",
    "review": "ursa.workflow.deciding.reviewing",
    "show": "ursa.plots.batch_grid",
    "show_batch": "ursa.plots.batch_grid",
    "train": "ursa.workflow.train",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise renamed.gone(name)
    room = _HOME[name] == "ursa"  # a package in it, not a name
    value = importlib.import_module(f"ursa.{name}") if room else getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


renamed.install()


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
