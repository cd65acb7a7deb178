"""A bundle -> its torch network, built again by the backbone's name and filled with the bundle's weights.

Bundles may come from strangers: names are looked up among those that Ursa builds, weights are numbers (safetensors), no
more memory is taken than the weights need, and the network has to predict what the bundle's model predicts.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ursa.core.bundles.bundle import Bundle
from ursa.core.decoding.image import Pixels
from ursa.core.text import escaped
from ursa.embed.backbone import Backbone
from ursa.embed.pretrained.bodies import require_known
from ursa.embed.pretrained.without_weights import WITHOUT_WEIGHTS
from ursa.embed.tensor_bytes import DAMAGE, from_bytes
from ursa.errors import BundleError, TrainingError, first_line
from ursa.serve.predictor import Predictor
from ursa.training.classifier import Classifier

DIFFERENCE = 0.01  # of any probability, between both; the parity of an export is 1e-4, mirror images come to it
LARGER = 4  # times the bundle's weights that the named network may have: its own head for 21,841 classes is among them
AGAIN = "where the model was trained: learner.show_grad_cam()"


def rebuilt(predictor: Predictor, views: Pixels) -> Classifier:
    """The network of a bundle, proven on views [N, S, S, 3] to predict what the bundle predicts.

    Raises BundleError for a network that cannot be built by its name (a custom one), and for weights that are not its.
    """
    bundle = predictor.bundle
    name, state = _name(bundle), _state(bundle)
    _require_no_larger(name, state)
    try:
        extractor = Backbone(name).load(pretrained=False)
        model = Classifier(extractor, state["head.weight"].shape[1], len(bundle.labels), _views(bundle))
        model.load_state_dict(state)
    except (KeyError, IndexError, RuntimeError, TrainingError) as problem:
        found = escaped(first_line(problem))
        raise BundleError(f"the weights of the bundle are not those of {name}", found=found, fix=AGAIN) from problem
    model.eval().requires_grad_(False)
    with torch.inference_mode():
        own = (model(torch.from_numpy(views)) / bundle.temperature).softmax(1).numpy()
    _require_equal(own, predictor.probabilities(views), "quantized" in bundle.document)
    return model


def _name(bundle: Bundle) -> str:
    training = bundle.document.get("training", {})
    name = training.get("backbone", "")
    try:
        require_known(name)
    except TrainingError as problem:
        what = "the network of this bundle cannot be built by its name"
        raise BundleError(what, found=escaped(name) or "no backbone", fix=AGAIN) from problem
    return str(name)


def _state(bundle: Bundle) -> dict[str, Tensor]:
    try:
        return from_bytes(bundle.parts["weights.safetensors"])[0]
    except DAMAGE as problem:
        raise BundleError("the weights of the bundle cannot be read", found=escaped(first_line(problem))) from problem


def _require_no_larger(name: str, state: dict[str, Tensor]) -> None:
    """A small file must not make this process build a network of billions of weights."""
    if name in WITHOUT_WEIGHTS:
        return
    with torch.device("meta"):  # shapes alone
        if name.startswith("torchvision:"):
            import torchvision

            network = torchvision.models.get_model(name.removeprefix("torchvision:"), weights=None)
        else:
            import timm

            network = timm.create_model(name, pretrained=False)
    wanted, there = (sum(p.numel() for p in each) for each in (network.parameters(), state.values()))
    if wanted > LARGER * there:
        found = f"{there:,} numbers for a network of {wanted:,}"
        raise BundleError(f"the weights of the bundle are not those of {name}", found=found, fix=AGAIN)


def _views(bundle: Bundle) -> int:
    """Of test-time augmentation, which Ursa 0.1 wrote beside the other settings."""
    recipe = bundle.document.get("training", {}).get("recipe", {})
    augment = recipe.get("augment", recipe)
    return 2 if isinstance(augment, dict) and augment.get("tta") == 2 else 1


def _require_equal(own: npt.NDArray[np.float32], told: npt.NDArray[np.float32], quantized: bool) -> None:
    difference = float(np.abs(own - told).max())
    if not difference <= DIFFERENCE:
        found = f"probabilities that differ by up to {difference:.2g}"
        fix = "give the bundle that it was quantized from" if quantized else AGAIN
        raise BundleError("the bundle's weights do not predict what its model predicts", found=found, fix=fix)
