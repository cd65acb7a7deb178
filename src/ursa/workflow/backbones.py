"""`ursa backbones`: a short list of backbones, each measured on the user's own pictures -> the one to take.

Each costs one pass, whose embeddings a later check finds in the store, and the export of a model for the timing.
"""

import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ursa import workspace as workspaces
from ursa.core.progress import Progress
from ursa.core.progress_display import ProgressDisplay, shown
from ursa.data.catalog import Catalog
from ursa.embed.backbone import Backbone
from ursa.embed.engine import machine
from ursa.embed.pretrained.known_backbones import table as known_backbones
from ursa.embed.pretrained.without_weights import WITHOUT_WEIGHTS
from ursa.errors import BundleError, DataError, TrainingError
from ursa.prepared.setup import Clock, Data, Prepared, Setup, embedded, listed
from ursa.prepared.splitting import probed, unsealed
from ursa.recipe import Recipe, recipe_from
from ursa.workflow.results.backbone_pick import Limits, MeasuredBackbone, Pick, pick
from ursa.workflow.results.short_repr import ShortRepr
from ursa.workflow.training_run.speeds import measured
from ursa.workspace import Workspace

MEASURED = ("pass_ms", "predict_ms", "megabytes")


@dataclass(frozen=True, repr=False)
class ComparedBackbones(ShortRepr):
    """What `ursa backbones` found."""

    rows: tuple[MeasuredBackbone, ...]  # in the order that they were asked for
    pick: Pick
    limits: Limits
    seconds: Mapping[str, float]

    def _shown(self) -> list[tuple[str, str]]:
        rows = [(row.name, row.summary()) for row in self.rows]
        return [*rows, ("picked", self.pick.why)]

    def to_json(self) -> dict[str, Any]:
        """The document of `ursa backbones --json`."""
        nearest = self.pick.nearest
        return {
            "backbones": [
                row.to_json() | {"within_limits": self.limits.hold(row), "fails": self.limits.failed(row)}
                for row in self.rows
            ],
            "picked": None if self.pick.row is None else self.pick.row.name,
            "nearest": None if nearest is None else nearest.name,
            "why": self.pick.why,
            "limits": self.limits.to_json(),
            "seconds": dict(self.seconds),
        }


def backbones(
    data: Data,
    names: Iterable[str] = (),
    *,
    max_ms: float | None = None,
    max_mb: float | None = None,
    workspace: str | Path | None = None,
    pattern: str | None = None,
    table: Mapping[str, str] | None = None,
    precision: str = "auto",
    runtime: str = "auto",
    device: str = "cpu",
    seed: int | None = None,
    fresh: bool = False,
    progress: Progress | bool | None = None,
) -> ComparedBackbones:
    """Measure backbones on labelled pictures, and pick one of them.

    names: each a backbone's name, or NAME=FILE with a file of its weights; without names `pixels` and those of our
    table (`ursa.embed.pretrained.known_backbones`). For each: accuracy of the cross-validated probe, the same as that
    of `ursa.check` with this backbone; milliseconds a picture of the pass and of predicting with the exported model,
    reading and decoding included; megabytes of that model. One whose weights cannot be had has the reason instead.

    max_ms: of predicting a picture; max_mb: of the exported model. Among those within the limits the most accurate is
    picked, or a faster one that McNemar's exact test on the same pictures cannot tell from it. The others: as of
    `ursa.check`.

    Raises DataError when the pictures cannot be used or are not of two classes at least, and for limits that are none;
    TrainingError for a name that neither timm nor torchvision knows.
    """
    limits, recipe, clock = Limits.of(max_ms, max_mb), recipe_from(None, seed=seed), Clock()
    asked = _asked(names)
    with shown(progress) as bar:
        setup = Setup.of(
            backbone="pixels",
            workspace=workspace,
            pattern=pattern,
            table=table,
            precision=precision,
            runtime=runtime,
            device=device,
            fresh=fresh,
            progress=bar,
        )
        with clock.phase("list"):
            catalog, space = listed(data, setup, classes=True)
        _require_two_classes(catalog)
        unfetchable = _unfetchable()
        rows = []
        for number, backbone in enumerate(asked):
            bar(f"{backbone.name} ({number + 1} of {len(asked)})", 0, 0)
            used = replace(setup, backbone=backbone.name, weights=backbone.weights, fresh=False)
            row, catalog = _row(catalog, space, used, recipe, clock, bar, unfetchable, number > 0)
            rows.append(row)
    return ComparedBackbones(tuple(rows), pick(rows, limits), limits, clock.seconds)


def _asked(names: Iterable[str]) -> list[Backbone]:
    """Each name once. Raises TrainingError for one that there is not, DataError for a file that is not there."""
    if isinstance(names, str):
        names = [names]
    usual = [one.name for one in known_backbones()]
    asked: dict[str, Backbone] = {}
    for given in names or ("pixels", *usual):
        name, equals, file = str(given).partition("=")
        if equals and not Path(file).is_file():
            raise DataError(f"there is no file of weights {file}", found=given, fix=f"check the path after {name}=")
        if name not in usual:
            from ursa.embed.pretrained.bodies import require_known

            require_known(name)
        if name in asked:
            raise DataError("a backbone is compared once", found=f"{name} twice", fix="leave one of them out")
        asked[name] = Backbone(name, Path(file) if equals else None)
    return list(asked.values())


def _require_two_classes(catalog: Catalog) -> None:
    classes = catalog.labels.names
    if len(classes) < 2:
        raise DataError(
            "a classifier needs pictures of at least two classes",
            found=f"{catalog.root}: {', '.join(classes) or 'no class'}",
            fix="add a folder of pictures for each class",
        )


def _row(
    catalog: Catalog,
    space: Workspace,
    setup: Setup,
    recipe: Recipe,
    clock: Clock,
    bar: ProgressDisplay,
    unfetchable: Callable[[Backbone], str | None],
    told: bool,
) -> tuple[MeasuredBackbone, Catalog]:
    """A backbone measured, and the catalog with what is known of its files now."""
    backbone = Backbone(setup.backbone, setup.weights)
    row = MeasuredBackbone(backbone.name, backbone.weights, license=_license(backbone.name))
    if (reason := unfetchable(backbone)) is not None:
        return replace(row, problem=reason), catalog
    try:
        ready = embedded(catalog, space, setup, clock, told=told)
        row, catalog = replace(row, license=ready.engine.about.license), ready.catalog
        with clock.phase("probe"):
            part = unsealed(ready, recipe.seed)
            probe, targets = probed(part, part.labels, ready, recipe), part.targets(part.labels)
        right = dict(zip(part.ids, (probe.probabilities.argmax(1) == targets).tolist(), strict=True))
        row = replace(row, accuracy=probe.accuracy(targets), right=right)
        bar(f"{backbone.name}: speed", 0, 0)
        with clock.phase("speed"):
            speeds = _speeds(ready, part, setup, recipe)
        pass_ms, predict_ms, megabytes = (speeds[name] for name in MEASURED)
        row = replace(row, pass_ms=pass_ms, predict_ms=predict_ms, megabytes=megabytes)
    except (TrainingError, BundleError) as problem:  # of this backbone: the others are measured all the same
        found = f"{problem.what}: {problem.found}" if problem.found else problem.what
        return replace(row, problem=found), catalog
    return row, catalog


def _license(name: str) -> str | None:
    return next((one.license for one in known_backbones() if one.name == name), None)


def _speeds(ready: Prepared, part: Catalog, setup: Setup, recipe: Recipe) -> dict[str, float]:
    """MEASURED of this backbone; from the workspace when it was timed on this machine before."""
    engine = ready.engine
    wanted = engine.runtime_for(len(part))  # of the pass; by itself it would not take so few as are timed here

    def timed(runtime: str) -> dict[str, float]:
        speed = measured(part, replace(setup, runtime=runtime).engine(engine.space), recipe, lambda: 0.0)
        if speed is None:
            raise TrainingError("its speed cannot be measured", found="no picture of a sample can be used")
        return dict(zip(MEASURED, (1000 * speed.embed, 1000 * speed.exported, speed.megabytes), strict=True))

    def either() -> dict[str, float]:
        try:
            return timed(wanted)
        except TrainingError:
            if setup.runtime != "auto" or wanted == "torch":
                raise
            return timed("torch")

    key = f"speed of {engine.key} by {wanted} on {setup.device}, {machine()}, {len(part.labels)} classes"
    known: dict[str, float] = workspaces.remember(engine.space.backbones, key, either, known_by=_is_speed)
    return known


def _is_speed(found: Any) -> bool:
    return (
        isinstance(found, dict)
        and set(found) == set(MEASURED)
        and all(isinstance(value, float) and 0 < value < 1e9 for value in found.values())
    )


def _unfetchable() -> Callable[[Backbone], str | None]:
    """Why the weights of a backbone cannot be had, None where they can or may be. The hub is asked once for all."""

    @functools.cache
    def hub_problem() -> str | None:
        from ursa.embed.pretrained.bodies import hub_problem as ask

        return ask()

    def reason(backbone: Backbone) -> str | None:
        if backbone.weights is not None or backbone.name in WITHOUT_WEIGHTS or backbone.name.startswith("torchvision:"):
            return None
        from ursa.embed.pretrained.relatives import at_hand

        if at_hand(backbone.name) or (problem := hub_problem()) is None:
            return None
        return f"its weights are not on this machine, and the hub cannot be reached: {problem}"

    return reason
