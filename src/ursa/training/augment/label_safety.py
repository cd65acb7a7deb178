"""Do the augmentations of a recipe keep the labels? Pictures, changed by each -> embeddings -> probe -> findings."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import polars as pl
import torch

from ursa.clean.swapped_labels import Judgement, swapped
from ursa.core import seeds
from ursa.core.decoding.image import Pixels
from ursa.core.finding import Finding
from ursa.core.labels import Labels
from ursa.core.prepare import Preparation
from ursa.data.catalog import Catalog
from ursa.embed import probe
from ursa.embed.store import F32
from ursa.recipe import AugmentSettings
from ursa.training.augment import geometry
from ursa.training.augment.random_numbers import F64
from ursa.training.batches.picture_batches import Views

I64 = npt.NDArray[np.int64]

SAMPLE = 400  # pictures that are changed, of all classes together
A_CLASS = 40  # at most of one class: enough to tell 70 % from a half
LEARNED = 1000  # at most, by the probes that judge them
SURE_TURN = 5.0  # degrees; smaller turns are not tried: cameras are held no straighter


def unsafe_augmentations(
    catalog: Catalog,
    labels: Labels,
    vectors: F32,
    embed: Callable[[Pixels], F32],
    preparation: Preparation,
    augment: AugmentSettings,
    seed: int,
) -> list[Finding]:
    """The catalog's single-label training pictures, their embeddings [N, D] -> pairs of classes that an augmentation
    swaps.

    embed: an engine, views [n, S, S, 3] -> [n, D]. Costs at most SAMPLE forward passes for each change that is
    switched on: one for a flip, three for quarter turns, two for small turns. Every class needs two pictures or more to
    be judged. With more than 100 classes the sample is too thin to show most swaps.
    """
    changes = tried(augment)
    targets = catalog.targets(labels)
    if not changes or len(np.unique(targets)) < 2:
        return []
    half = _sample(targets, seed)  # [N]: 1 or 2 in the sample, else 0
    rows = np.flatnonzero(half)
    heads = _heads(vectors, targets, len(labels), half, catalog.duplicate_groups(), seed)
    chosen = catalog.ids
    picked = [chosen[row] for row in rows]
    views = np.stack(list(Views(catalog.where(pl.col("id").is_in(picked)), preparation)))  # in the catalog's order

    def judged(embedded: F32) -> I64:
        answers = np.stack([head.probabilities(embedded).argmax(1) for head in heads])
        return answers[half[rows] - 1, np.arange(len(rows))]

    before = judged(vectors[rows])
    seen = {name: judged(_embedded(embed, changed(views, matrix))) for name, (matrix, _, _) in changes.items()}
    found = []
    for name, (_, inverse, setting) in changes.items():
        if name <= inverse or inverse not in changes:  # a change and its inverse are one finding
            judgement = Judgement(name, setting, before, seen[name], seen[inverse])
            found += swapped(judgement, targets[rows], labels.names, picked)
    return sorted(found, key=lambda finding: -finding.score)


def tried(augment: AugmentSettings) -> dict[str, tuple[F64, str, str]]:
    """What to try: change -> homography [3, 3], the change that undoes it, the setting without it."""
    changes: dict[str, tuple[F64, str, str]] = {}
    yes, no = np.array([True]), np.array([False])
    if augment.hflip:
        changes["mirrored left and right"] = geometry.mirrors(yes, no)[0], "mirrored left and right", "hflip=0"
    if augment.vflip:
        changes["mirrored up and down"] = geometry.mirrors(no, yes)[0], "mirrored up and down", "vflip=0"
    turns = [(90, -90, "rotate90=0"), (-90, 90, "rotate90=0"), (180, 180, "rotate90=0")] if augment.rotate90 else []
    if augment.rotate >= SURE_TURN:
        most = round(augment.rotate)
        turns += [(most, -most, "rotate=0"), (-most, most, "rotate=0")]
    for degrees, inverse, setting in turns:
        changes[_turned(degrees)] = geometry.turns(np.array([float(degrees)]))[0], _turned(inverse), setting
    return changes


def changed(views: Pixels, matrix: F64) -> Pixels:
    """views [N, S, S, 3], a homography [3, 3] -> views; beyond a view lies its mirror image, as grey would be news."""
    size = views.shape[1]
    whole = AugmentSettings(hflip=0.0, min_scale=1.0, padding_mode="reflect")
    out = np.empty_like(views)
    for first in range(0, len(views), 32):
        some = views[first : first + 32]
        sizes = np.full((len(some), 2), float(size))
        place = geometry.drawn(sizes, Preparation(size), whole, np.zeros((len(some), 12)))
        seen = geometry.render(torch.from_numpy(some), place.then(np.tile(matrix, (len(some), 1, 1))), size)
        out[first : first + 32] = seen.round_().byte().permute(0, 2, 3, 1).numpy()
    return out


def _turned(degrees: int) -> str:
    if abs(degrees) == 180:
        return "turned by 180 degrees"
    return f"turned by {abs(degrees)} degrees {'counter-clockwise' if degrees > 0 else 'clockwise'}"


def _sample(targets: I64, seed: int) -> I64:
    """[N] 1 or 2 for pictures that are changed, evenly from all classes, at most half of each; 0 for the others."""
    counts = np.bincount(targets)
    share = max(1, min(A_CLASS, SAMPLE // max(1, int((counts > 0).sum()))))
    half = np.zeros(len(targets), np.int64)
    for rows in _by_class(seeds.generator(seed, "harm").permutation(len(targets)), targets)[:SAMPLE]:
        some = rows[: min(share, len(rows) // 2)]
        half[some] = 1 + np.arange(len(some)) % 2
    return half


def _heads(vectors: F32, targets: I64, classes: int, half: I64, groups: I64, seed: int) -> list[probe.Head]:
    """Two probes: each has seen no picture of its half, nor a copy of one."""
    heads = []
    order = seeds.generator(seed, "harm", 1).permutation(len(targets))
    for number in (1, 2):
        known = order[~np.isin(groups[order], groups[half == number])][:LEARNED]
        heads.append(probe.fit(vectors[known], targets[known], classes, groups=groups[known], seed=seed, folds=3).head)
    return heads


def _by_class(order: I64, targets: I64) -> list[I64]:
    """The rows of each class, in this order."""
    by_class = order[np.argsort(targets[order], kind="stable")]
    return [rows for rows in np.split(by_class, np.cumsum(np.bincount(targets))[:-1]) if len(rows)]


def _embedded(embed: Callable[[Pixels], F32], views: Pixels, batch: int = 8) -> F32:
    return np.concatenate([embed(views[first : first + batch]) for first in range(0, len(views), batch)])
