"""Whatever a learner is given, or a file of one -> what it begins with. Everything that does not fit is told here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from torch import nn

from ursa.core.finding import Finding
from ursa.data.catalog import Catalog
from ursa.embed.backbone import DEFAULT
from ursa.embed.device import available
from ursa.errors import TrainingError
from ursa.learner import learner_file, learner_recipe, one_fit, picture_data
from ursa.learner.fit_arguments import no_meaning
from ursa.learner.learner_file import SavedLearner
from ursa.learner.learner_recipe import SCRATCH, Optimizer, Use
from ursa.learner.picture_data import ModelAndData, PictureInputs
from ursa.prepared.setup import Setup
from ursa.recipe import Recipe
from ursa.training import evaluation
from ursa.training.batches.learner_data import LearnerData, has_valid, is_dataset, read_data
from ursa.training.tasks import metrics
from ursa.training.tasks.losses import Loss


@dataclass(frozen=True)
class Wanted:
    """How a learner is asked to learn, as it was given."""

    loss: str | Loss | None = None  # None: the usual one of the task
    optimizer: Optimizer = "adamw"
    metrics: Sequence[Any] | None = None  # None: the usual ones of the task
    recipe: Recipe | Mapping[str, Any] | None = None  # a whole one, or what differs from the usual one
    seed: int | None = None  # None: the recipe's
    device: str = "cpu"
    precision: str = "fp32"


@dataclass(frozen=True)
class Start:
    """What a learner begins with."""

    setup: one_fit.FitSetup
    recipe: Recipe
    wanted: Wanted
    backbone: str = ""
    findings: tuple[Finding, ...] = ()


def started(
    data: Any, model: Any, wanted: Wanted, of_arrays: Mapping[str, Any], of_pictures: Mapping[str, Any]
) -> Start:
    """of_arrays, of_pictures: arguments that only these read, None where not given."""
    if is_pictures(data):
        network = learner_recipe.network_of(model, pictures=True, default=DEFAULT)
        return _of_pictures(data, network, wanted, of_arrays, of_pictures)
    network = learner_recipe.network_of(model, pictures=False, default=DEFAULT)
    no_meaning("for arrays and data sets", "pictures in a folder, a table or a catalog", **of_pictures)
    return _of_arrays(data, network, wanted, **of_arrays)


def of_file(
    path: Path,
    data: Any = None,
    *,
    model: nn.Module | None = None,
    allow: str | None = None,
    loss: Any = None,
    optimizer: Any = None,
    metrics: Sequence[Any] | None = None,
    device: str | None = None,
    precision: str | None = None,
) -> tuple[Start, SavedLearner]:
    """What `learner_file.save` wrote -> a learner's start, with data of other examples or with none."""
    saved = learner_file.read(path)
    wanted = Wanted(
        loss=_again("loss", loss, saved.loss, saved.loss or None),
        optimizer=_again("optimizer", optimizer, saved.optimizer, saved.optimizer),
        metrics=_again("metrics", metrics, saved.metrics, None if saved.usual_metrics else saved.metrics),
        recipe=saved.recipe,
        device=device or "cpu",
        precision=precision or "fp32",
    )
    network = learner_file.network(path, model, allow)
    if data is None:
        known = ModelAndData(network, saved.data, saved.backbone)
    elif isinstance(saved.data.inputs, PictureInputs):
        pictures = Setup.of(backbone=saved.backbone or "pixels", device=available(wanted.device))
        known = picture_data.of_pictures(data, network, 0, saved.recipe, pictures, like=saved.data)
        known = replace(known, backbone=saved.backbone)
    else:
        split, device = saved.recipe.split, available(wanted.device)
        read = read_data(data, valid=split.valid, seed=saved.recipe.seed, device=device, like=saved.data)
        known = ModelAndData(network, read)
    return _assembled(known, saved.recipe, wanted), saved


def is_pictures(data: Any) -> bool:
    """Whether data are pictures in a folder or a table."""
    return isinstance(data, str | Path | Catalog)


def _of_pictures(
    data: Any,
    network: str | nn.Module,
    wanted: Wanted,
    of_arrays: Mapping[str, Any],
    of_pictures: Mapping[str, Any],
) -> Start:
    fix = "arrays or data sets; names and kind of a table's labels are in the table"
    no_meaning("for pictures in folders and tables", fix, **of_arrays)
    usual = Recipe.for_backbone(network) if isinstance(network, str) else Recipe()
    recipe, given = learner_recipe.recipe_of(wanted.recipe, usual, wanted.seed), dict(of_pictures)
    size, fresh = given.pop("size"), bool(given.pop("fresh"))
    if isinstance(network, str):
        no_meaning("for a backbone, which has its own", "a custom network", size=size)
        given["backbone"] = network
    else:
        no_meaning("for a custom network", "load them into the network", weights=given["weights"])
        given["backbone"] = "pixels"  # which tells near duplicates
    known = {name: value for name, value in given.items() if value is not None}
    pictures = Setup.of(device=available(wanted.device), fresh=fresh, **known)
    size = picture_data.SIZE if size is None else size
    start = picture_data.of_pictures(data, network, size, recipe, pictures, like=None)
    own_loss = wanted.loss is not None and not isinstance(wanted.loss, str)
    own_optimizer = not isinstance(wanted.optimizer, str)
    use = Use(True, False, bool(start.backbone), False, start.data.targets, own_loss, own_optimizer)
    learner_recipe.refuse_unread(recipe, use, usual)
    return _assembled(start, recipe, wanted)


def _of_arrays(
    data: Any,
    network: Any,
    wanted: Wanted,
    names: Sequence[str] | None,
    standardize: bool | None,
    workers: int | None,
) -> Start:
    recipe = learner_recipe.recipe_of(wanted.recipe, SCRATCH, wanted.seed)
    if not is_dataset(data):
        no_meaning("for arrays, which lie in memory", "a torch data set", workers=workers)
    read = read_data(
        data,
        names=names,
        valid=recipe.split.valid,
        seed=recipe.seed,
        standardize=standardize is not False,
        device=available(wanted.device),
        workers=workers or 0,
    )
    own_loss = wanted.loss is not None and not isinstance(wanted.loss, str)
    own_optimizer = not isinstance(wanted.optimizer, str)
    learner_recipe.refuse_unread(
        recipe, Use(False, is_dataset(data), False, has_valid(data), read.targets, own_loss, own_optimizer)
    )
    return _assembled(ModelAndData(network, read), recipe, wanted)


def _assembled(start: ModelAndData, recipe: Recipe, wanted: Wanted) -> Start:
    device, data = available(wanted.device), start.data
    if wanted.loss is not None and not isinstance(wanted.loss, str):
        data = replace(data, targets=data.targets.as_given())  # a loss of one's own gets targets as they are
    wanted = replace(wanted, optimizer=learner_recipe.optimizer_of(wanted.optimizer))
    setup = one_fit.FitSetup(
        model=start.model.to(device),
        data=data,
        loss=learner_recipe.loss_of(wanted.loss, data, recipe),
        metrics=_metrics(wanted.metrics, data),
        optimizer=wanted.optimizer,
        device=device,
        precision=learner_recipe.precision_of(wanted.precision, device),
        backbone=bool(start.backbone),
    )
    if len(data.train):
        setup = one_fit.checked(setup)
        learner_recipe.refuse_unread_by_network(recipe, setup.model, data.inputs)
    return Start(setup, recipe, wanted, start.backbone, start.findings)


def _metrics(wanted: Sequence[Any] | None, data: LearnerData) -> tuple[metrics.Metric, ...]:
    return evaluation.metrics_for(data.targets) if wanted is None else metrics.to_metrics(wanted)


def _again(name: str, given: Any, known: Any, value: Any) -> Any:
    """What is given, else what the file says. Raises TrainingError where that was the user's own."""
    if given is not None:
        return given
    if known is None:
        fix = f"give it again: ursa.load(path, {name}=...)"
        raise TrainingError(f"this learner was saved with {name} of its own, whose code is not in the file", fix=fix)
    return value
