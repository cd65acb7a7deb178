"""`--minutes M`: measured speeds and the time left -> backbone, picture size and epochs of a run that ends in time.

Pictures are embedded, judged and served at the backbone's own size whatever the plan; only what is learned from may be
smaller (Touvron et al. 2019: trained on smaller pictures than it is used on, a network is no worse). So the probe is as
good as without a limit, and fine-tuning, which has to beat it, can only add to it.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from ursa.data.catalog import Catalog
from ursa.embed.engine import Engine
from ursa.embed.store import Store
from ursa.errors import TrainingError
from ursa.export.parity import COMPARED
from ursa.prepared.setup import Data, Setup, listed
from ursa.recipe import Recipe
from ursa.workflow.training_run.speeds import Speed, measured

if TYPE_CHECKING:
    from ursa.training.optim.deadline import Deadline

    pass

LEAST = 0.1  # minutes: importing PyTorch alone takes some seconds
MARGIN = 1.3  # what comes after training is put aside with so much more than was measured
LEAVING = 1.0  # seconds of starting and ending the process, and of the report
WIDE = 3  # times the recipe's epochs, at most, when there is time to spare
PART = 0.25  # of an epoch: less is not worth beginning
SPARE = 1.5  # times the epochs that fit are begun: a machine faster than measured does more, the deadline ends the rest
MEASURING = 0.1  # share of the time after which no further backbone is measured
HARM = 400  # pictures, at most, that augmentations are tried on: see `ursa.training.augment.label_safety`
SEEN_IN_A_HURRY = 50  # pictures learned from that are predicted once more, to measure the gaps
PROBE = 3e-7  # seconds of fitting the probe for a picture, a class and a feature (measured: 1.4e-7 to 2.7e-7)


@dataclass(frozen=True)
class Limit:
    """When a command has to have ended."""

    seconds: float  # from its beginning
    began: float  # on the monotonic clock

    @classmethod
    def of(cls, minutes: float) -> "Limit":
        """From now on. Raises TrainingError for what is no length of time."""
        if not LEAST <= minutes < math.inf:  # false for NaN too
            raise TrainingError(
                "a run needs a finite number of minutes", found=f"{minutes:g}", fix=f"at least {LEAST:g}, as in 5"
            )
        return cls(60 * minutes, time.monotonic())

    def left(self) -> float:
        """Seconds."""
        return self.began + self.seconds - time.monotonic()


@dataclass(frozen=True)
class Work:
    """How many pictures a run has to do with. The number of classes is K, of features D."""

    new: int  # not embedded yet
    learn: int
    valid: int  # predicted after each epoch
    after: int  # predicted once training is over, the last epoch's validation among them
    changed: int  # forward passes that try the augmentations
    fit: float = 0.0  # seconds of fitting the probe


@dataclass(frozen=True)
class Weighed:
    """A way to spend the time."""

    backbone: str
    size: int  # pixels of the pictures learned from
    seconds_per_picture: float  # of training
    epochs: float  # that fit, at least a part of one; 0: the probe alone
    ends: float  # seconds after the command began, by its own estimate
    fits: bool  # false where not even the probe does
    chosen: bool = False

    def to_json(self) -> dict[str, Any]:
        """All of it by name."""
        return asdict(self)


@dataclass(frozen=True)
class Plan:
    """What was chosen, among what, and on which figures."""

    limit: Limit
    setup: Setup  # with the backbone that was chosen
    epochs: float  # that fit
    size: int  # pixels of the pictures learned from
    speed: Speed  # of the backbone that was chosen
    weighed: tuple[Weighed, ...]
    wanted: int  # epochs of the recipe

    def recipe(self, recipe: Recipe) -> Recipe:
        """The recipe with as many epochs as may be done; the schedule comes to its end at the deadline whatever is."""
        return recipe.with_settings({"epochs": min(WIDE * self.wanted, math.ceil(SPARE * self.epochs))})

    def settled(self, learn: int, valid: int, others: int) -> "Plan":
        """The plan for the time that is left when training begins, for so many pictures in each part."""
        work = Work(0, learn, valid, after_training(valid, others), 0)
        fresh = weigh(self.speed, work, self.limit.seconds, self.limit.left(), self.wanted)
        best = chosen(fresh, self.speed.backbone, {self.speed.backbone: self.speed.own}, self.wanted)
        if best is None:  # late already: the probe, which is there, is written as soon as can be
            best = fresh[-1]
        others_weighed = tuple(row for row in self.weighed if row.backbone != self.speed.backbone)
        rows = tuple(replace(row, chosen=row == best) for row in fresh)
        return replace(self, epochs=best.epochs, size=best.size, weighed=(*others_weighed, *rows))

    def deadline(self, valid: int, others: int, batch: int) -> "Deadline":
        """The deadline of training, from now on."""
        work = Work(0, 0, valid, after_training(valid, others), 0)
        from ursa.training.optim.deadline import Deadline

        return Deadline(self.limit.left(), after(self.speed, work), self.speed.steps[self.size] * batch)


def planned(data: Data, setup: Setup, recipe: Recipe, limit: Limit) -> Plan:
    """Measure the machine and choose. Raises TrainingError when not even a probe can be had in time."""
    catalog, space = listed(data, setup)
    speeds: list[Speed] = []
    works: list[Work] = []
    for name in (setup.backbone, *_relatives(setup)):
        if speeds and limit.seconds - limit.left() > MEASURING * limit.seconds:
            break
        engine = replace(setup, backbone=name).engine(space)
        speed = measured(catalog, engine, recipe, lambda: limit.left() / limit.seconds)
        if speed is not None:
            speeds.append(speed)
            works.append(_work(catalog, engine, recipe))
    if not speeds:
        raise TrainingError("no picture of a sample can be used", fix="look at what `ursa check` says of the pictures")
    left = limit.left()
    pairs = zip(speeds, works, strict=True)
    rows = [row for speed, work in pairs for row in weigh(speed, work, limit.seconds, left, recipe.optim.epochs)]
    best = chosen(rows, setup.backbone, {speed.backbone: speed.own for speed in speeds}, recipe.optim.epochs)
    if best is None:
        soonest = min(row.ends for row in rows)
        raise TrainingError(
            f"not even a probe can be had in {limit.seconds / 60:g} minutes",
            found=f"{len(catalog)} pictures need about {math.ceil(soonest / 6) / 10:g} minutes",
            fix="give it that time, or take --backbone pixels",
        )
    speed = next(speed for speed in speeds if speed.backbone == best.backbone)
    weighed = tuple(replace(row, chosen=row == best) for row in rows)
    used = replace(setup, backbone=best.backbone, fresh=False)  # it was made fresh just now
    return Plan(limit, used, best.epochs, best.size, speed, weighed, recipe.optim.epochs)


def weigh(speed: Speed, work: Work, seconds: float, left: float, wanted: int) -> list[Weighed]:
    """Each picture size of a backbone -> the epochs that fit into what is left of the seconds, and when it ends.

    Smaller pictures than the backbone's own never get more than the wanted epochs: what time is left over then goes
    into larger ones.
    """
    fixed = before(speed, work) + after(speed, work)
    rows = []
    for size, step in speed.steps.items():
        epoch = work.learn * step + work.valid * speed.predict
        most = wanted * (WIDE if size == speed.own else 1)
        epochs = min(most, (left - fixed) / epoch) if epoch else 0.0
        epochs = epochs if epochs >= PART else 0.0
        ends = seconds - left + fixed + epochs * epoch
        fits = fixed <= left
        rows.append(Weighed(speed.backbone, size, step, epochs, min(ends, seconds) if fits else ends, fits))
    return rows


def chosen(rows: Sequence[Weighed], named: str, own: dict[str, int], wanted: int) -> Weighed | None:
    """The way to spend the time: with more of it never a smaller network; in the same never smaller pictures; of the
    same never fewer epochs. None where no probe fits.

    A network larger than the named one is worth it only when all epochs that the recipe wants fit at its own size; a
    smaller one is taken only where even the probe of the named one does not fit.
    """
    cost = {name: min(row.seconds_per_picture for row in rows if row.backbone == name) for name in own}
    larger = sorted((name for name in own if cost[name] > cost[named]), key=cost.__getitem__, reverse=True)
    smaller = sorted((name for name in own if cost[name] < cost[named]), key=cost.__getitem__, reverse=True)
    for name in larger:
        for row in rows:
            if row.backbone == name and row.size == own[name] and row.epochs >= wanted > 0:
                return row
    for name in (named, *smaller):
        fitting = sorted((row for row in rows if row.backbone == name and row.fits), key=lambda row: row.size)
        whole = [row for row in fitting if row.epochs >= wanted]
        if fitting:
            return whole[-1] if whole else fitting[0] if fitting[0].epochs else fitting[-1]
    return None


def before(speed: Speed, work: Work) -> float:
    """Seconds until the first step: embeddings, probe, augmentations tried. The probe's validation is in the store."""
    return (work.new + work.changed) * speed.embed + work.fit


def after(speed: Speed, work: Work) -> float:
    """Seconds put aside for what follows the last step: judging, writing, predicting with what was written."""
    compared = min(COMPARED, work.valid) * speed.exported
    return MARGIN * (work.after * speed.predict + compared + speed.export) + LEAVING


def after_training(valid: int, others: int) -> int:
    """Pictures predicted after the last step: validation when the epoch ends, the others, test and train-dev, and some
    that were learned from."""
    return valid + others + SEEN_IN_A_HURRY


def _work(catalog: Catalog, engine: Engine, recipe: Recipe) -> Work:
    """What a run will come to, as far as it can be told before pictures are looked at."""
    usable = catalog.rows.filter(catalog.rows["problem"].is_null() & catalog.rows["label"].is_not_null())
    given = {name: int((usable["split"] == name).sum()) for name in ("train", "train-dev", "valid", "test")}
    free = len(usable) - sum(given.values())
    valid = given["valid"] or round(recipe.split.valid * len(usable))
    test = given["test"] or round(recipe.split.test * len(usable))
    dev = given["train-dev"] or round(recipe.split.train_dev * len(usable))
    learn = max(1, given["train"] + free - (valid + test + dev - given["valid"] - given["test"] - given["train-dev"]))
    with Store(engine.space.embeddings(engine.key)) as store:
        keys = catalog.rows["sha256"]
        new = sum(key is None or key not in store for key in keys)
    classes, features = len(catalog.labels), engine(engine.about.preparation.blank(1)).shape[1]
    return Work(
        new=new,
        learn=learn,
        valid=valid,
        after=after_training(valid, test + dev),
        changed=min(HARM, learn // 2) if recipe.optim.epochs else 0,
        fit=1.0 + PROBE * learn * classes * features,
    )


def _relatives(setup: Setup) -> list[str]:
    """Other backbones to weigh; none beside a file of weights, which is that of one backbone."""
    if setup.weights is not None:
        return []
    from ursa.embed.pretrained.relatives import relatives

    return relatives(setup.backbone)
