"""Networks: from scratch or by name, composed, summarized, drawn, cut into groups, saved and loaded.

>>> from ursa import models
>>> net = models.mlp(784, 10, hidden=(256,), dropout=0.2)
>>> print(models.summary(net, (64, 784)))

A network is a plain `torch.nn.Module`; everything here works on yours as on these.
"""

import importlib
from typing import TYPE_CHECKING, Any

from ursa import renamed

if TYPE_CHECKING:
    from ursa.models.by_name import create as create
    from ursa.models.compose import Residual as Residual
    from ursa.models.compose import multi_output as multi_output
    from ursa.models.compose import siamese as siamese
    from ursa.models.convolution import small_cnn as small_cnn
    from ursa.models.dense import linear as linear
    from ursa.models.dense import mlp as mlp
    from ursa.models.dense import perceptron as perceptron
    from ursa.models.groups import freeze as freeze
    from ursa.models.groups import freeze_to as freeze_to
    from ursa.models.groups import layer_groups as layer_groups
    from ursa.models.groups import parameter_groups as parameter_groups
    from ursa.models.groups import unfreeze as unfreeze
    from ursa.models.heads import pooled_head as pooled_head
    from ursa.models.init import initialize as initialize
    from ursa.models.layer_graph.mermaid import LayerGraph as LayerGraph
    from ursa.models.layer_graph.mermaid import graph as graph
    from ursa.models.model_summary import Summary as Summary
    from ursa.models.model_summary import summary as summary
    from ursa.models.saving import describe as describe
    from ursa.models.saving import load as load
    from ursa.models.saving import save as save
    from ursa.models.shape_errors import explain as explain

_HOME = {  # name: module, which is never called like a name here: importing it would take the name's place
    "LayerGraph": "layer_graph.mermaid",
    "Residual": "compose",
    "Summary": "model_summary",
    "create": "by_name",
    "describe": "saving",
    "explain": "shape_errors",
    "freeze": "groups",
    "freeze_to": "groups",
    "graph": "layer_graph.mermaid",
    "initialize": "init",
    "layer_groups": "groups",
    "linear": "dense",
    "load": "saving",
    "mlp": "dense",
    "multi_output": "compose",
    "parameter_groups": "groups",
    "perceptron": "dense",
    "pooled_head": "heads",
    "save": "saving",
    "siamese": "compose",
    "small_cnn": "convolution",
    "summary": "model_summary",
    "unfreeze": "groups",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise renamed.gone(name, __name__)
    return getattr(importlib.import_module(f"ursa.models.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)
