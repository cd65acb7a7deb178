"""Catalog -> the same catalog with every usable picture in a split. Stratified; copies and groups stay together."""

from collections import Counter, defaultdict

import numpy as np
import polars as pl

from ursa.core import seeds
from ursa.data.catalog import Catalog
from ursa.errors import DataError


def with_valid(catalog: Catalog, *, share: float = 0.2, seed: int = 0) -> Catalog:
    """A usable catalog -> one whose rows are all "train", "valid" or "test".

    A validation part that is given is kept. Where there is none, `share` of each class's training pictures is drawn
    by the seed; pictures with the same bytes, or of the same group, go together. A class keeps at least one group for
    training. Raises DataError when no class has enough pictures to give one away.
    """
    given = catalog.rows["split"].fill_null("train")
    if (given == "valid").any():
        return catalog.with_columns(split=given)
    split = np.array(given.to_list(), dtype=object)
    rows = np.flatnonzero(split == "train")
    copies = catalog.copies()
    groups, labels, tested = copies[rows], catalog.targets()[rows], set(copies[split == "test"])
    order = seeds.generator(seed, "split").permutation(np.unique(groups))
    of_group = dict(zip(groups[::-1], labels[::-1], strict=True))  # a group's class is that of its first picture
    sizes = dict(zip(*np.unique(groups, return_counts=True), strict=True))
    within: defaultdict[int, set[int]] = defaultdict(set)
    for group, label in zip(groups, labels, strict=True):
        within[group].add(label)
    left = Counter(label for inside in within.values() for label in inside)  # groups that still train a class
    valid: set[int] = set()
    for label in np.unique(labels):
        mine = [group for group in order if of_group[group] == label]
        wanted, taken = round(share * sum(sizes[group] for group in mine)), 0
        for group in mine:
            if taken >= max(1, wanted):
                break
            if group not in tested and all(left[inside] > 1 for inside in within[group]):
                valid.add(int(group))
                left.subtract(within[group])
                taken += sizes[group]
    if not valid:
        raise DataError(
            "too few pictures to set some aside for validation",
            found=f"{len(rows)} pictures in {len(np.unique(labels))} classes, none with two different ones",
            fix="add pictures: at least two different ones in a class, better twenty in each",
        )
    split[rows[np.isin(groups, list(valid))]] = "valid"
    return catalog.with_columns(split=pl.Series("split", split.tolist(), dtype=pl.String))
