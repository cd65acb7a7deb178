"""Prepared pictures -> their parts, and the probe of those to learn from: where `train` and `Learner` both begin."""

from dataclasses import dataclass

import polars as pl

from ursa.core.bundles.picture_hashes import PictureHashes
from ursa.core.finding import Finding
from ursa.core.labels import Labels
from ursa.data.catalog import Catalog
from ursa.data.saved_splits import load_splits, save_splits, with_drawn_test
from ursa.data.split import poor_split, split
from ursa.embed.probe import Probe
from ursa.embed.similar_embeddings import near_duplicate_groups
from ursa.embed.stored_probe import ProbeInputs, fitted_probe, select
from ursa.prepared.setup import Prepared
from ursa.recipe import Recipe


@dataclass(frozen=True)
class Parts:
    """The parts of a catalog, and the classes of all of them."""

    labels: Labels
    learn: Catalog
    train_dev: Catalog
    valid: Catalog
    test: Catalog

    @classmethod
    def of(cls, catalog: Catalog) -> "Parts":
        """By the column `split`."""
        return cls(catalog.labels, *(catalog.of_split(name) for name in ("train", "train-dev", "valid", "test")))

    def counts(self) -> dict[str, int]:
        """Pictures by part."""
        return {name: len(part) for name, part in self._named().items()}

    def hashes(self) -> PictureHashes:
        """Which pictures lie in which part, for the bundle."""
        return PictureHashes.of({name: part.rows["sha256"] for name, part in self._named().items()})

    @property
    def aside(self) -> int:
        """Pictures beside those of validation that are not learned from."""
        return len(self.train_dev) + len(self.test)

    def _named(self) -> dict[str, Catalog]:
        return {"train": self.learn, "train-dev": self.train_dev, "valid": self.valid, "test": self.test}


def parted(ready: Prepared, recipe: Recipe) -> tuple[Catalog, list[Finding]]:
    """The usable pictures in their parts, which are remembered; copies together, as far as embeddings tell."""
    usable, path = ready.catalog.usable(), ready.space.splits
    groups = near_duplicate_groups(ready.catalog, ready.embeddings).of(usable)
    shares = {"valid": recipe.split.valid, "test": recipe.split.test, "train_dev": recipe.split.train_dev}
    parts = split(
        usable,
        valid=recipe.split.valid,
        test=recipe.split.test,
        train_dev=recipe.split.train_dev,
        seed=recipe.seed,
        groups=groups,
        before=load_splits(path, recipe.seed),
    )
    save_splits(path, parts, recipe.seed)
    given = {"valid": "valid", "test": "test", "train-dev": "train_dev"}
    asked = {name: shares[name] for part, name in given.items() if not (usable.rows["split"] == part).any()}
    return parts, poor_split(parts, groups=groups, **asked)


def unsealed(ready: Prepared, seed: int) -> Catalog:
    """The usable pictures but for the test part, given or drawn before: what `ursa check` cross-validates."""
    catalog = with_drawn_test(ready.catalog.usable(), load_splits(ready.space.splits, seed))
    return catalog.where(pl.col("split").fill_null("train") != "test")


def probed(learn: Catalog, labels: Labels, ready: Prepared, recipe: Recipe) -> Probe:
    """The probe of single-label pictures to learn from: fitted, or read if it was before."""
    return fitted_probe(probe_inputs(learn, labels, ready, recipe), ready.space)


def probe_inputs(learn: Catalog, labels: Labels, ready: Prepared, recipe: Recipe) -> ProbeInputs:
    """What the probe of these pictures depends on: near duplicates are held out together, and pictures without a label
    teach, too."""
    groups = near_duplicate_groups(ready.catalog, ready.embeddings).of(learn)
    bare = pl.col("label").is_null() & (pl.col("split").fill_null("train") == "train")
    return ProbeInputs.of(
        learn,
        labels,
        select(learn, ready.embeddings),
        seed=recipe.seed,
        folds=recipe.probe.folds,
        groups=groups,
        unlabeled=select(ready.catalog.readable().where(bare), ready.embeddings).vectors,
    )
