"""Catalog -> the same catalog with every usable picture in a part. Stratified; copies and groups stay together.

What is drawn is a function of the seed and of the pictures' bytes: names, folders and the order of the rows play no
part. What was drawn once is remembered (`SavedSplits`), so that pictures added later move no old one across.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

from ursa.core.finding import Finding
from ursa.data.catalog import Catalog
from ursa.data.near_duplicates import with_groups
from ursa.data.saved_splits import PARTS, SavedSplits
from ursa.errors import DataError, did_you_mean

I64 = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Names = npt.NDArray[np.object_]

BINS = 10  # of equal size, by which the numbers of a regression are stratified
NOTHING = ""  # stands for a picture of several labels that has none of them


def split(
    catalog: Catalog,
    *,
    valid: float = 0.2,
    test: float = 0.0,
    train_dev: float = 0.0,
    seed: int = 0,
    by: str = "label",
    groups: I64 | None = None,
    before: SavedSplits | None = None,
) -> Catalog:
    """A catalog -> one whose usable rows are all "train", "train-dev", "valid" or "test"; other rows stay untouched.

    valid, test, train_dev are shares of all usable pictures. A part that is given is kept as it is; a missing one is
    drawn from the training pictures, `by` "label": the share of each class (several labels: after Sechidis, Tsoumakas
    and Vlahavas 2011, the rarest first; numbers: of each of 10 ranges), or by "time": the newest are for testing, those
    before them for validation, and a group lies where its newest picture lies.

    Pictures with the same bytes, of one group, or with the same number in groups [N] (`embed.similar_embeddings`) go
    together, also in chains. One that nobody placed joins the part where a copy of it lies already; where parts that
    are given contradict each other they stay so (the checks report it: `leak`, `near-leak`). before: what was drawn
    earlier; those pictures stay, and only new ones are drawn until the shares are met.

    Raises DataError where a part would stay empty, times are missing, or the shares leave nothing to train on.
    """
    shares = _shares(valid=valid, test=test, train_dev=train_dev, by=by)
    usable = (catalog.rows["problem"].is_null() & catalog.rows["label"].is_not_null()).to_numpy()
    rows = np.flatnonzero(usable)
    part = catalog.rows["split"].to_numpy().astype(object)
    given = {name for name in PARTS if (part[rows] == name).any()}
    missing = {name: share for name, share in shares.items() if name not in given}
    groups = with_groups(catalog, groups)[rows]
    keys = catalog.rows["sha256"].gather(rows).to_list()
    drawn = ~np.isin(part[rows].astype(str), sorted(given))  # all but the parts that are given
    placed = _joined(_recalled(keys, part[rows], before or {}), groups)
    placed[[where is None for where in placed]] = "train"
    old = np.isin(groups, groups[[key in (before or {}) for key in keys]])
    units = _Units(catalog, rows, groups, drawn, seed)
    for name, share in missing.items():
        if share:
            free = (placed == "train") & ~_held(placed, groups) & ~(old & (name in set((before or {}).values())))
            if by == "time" and name != "train-dev":  # which is of the time of training, by its meaning
                chosen = _newest(catalog, rows, share, placed == name, free, groups)
            else:
                chosen = units.draw(share, placed == name, placed == "train", free)
            placed[chosen] = name
    _check_parts(catalog, rows, placed, missing, groups)
    part[rows] = placed
    return catalog.with_columns(split=pl.Series("split", part.tolist(), dtype=pl.String))


def folds(catalog: Catalog, k: int = 5, *, seed: int = 0, groups: I64 | None = None) -> I64:
    """-> [N] the fold of 0..k-1 in which each usable row is held out, -1 for other rows.

    Iterative stratification (Sechidis, Tsoumakas and Vlahavas 2011) of whole groups: rarest class first, each group to
    the fold that has the fewest of it. Raises DataError for fewer different pictures than folds.
    """
    rows = np.flatnonzero((catalog.rows["problem"].is_null() & catalog.rows["label"].is_not_null()).to_numpy())
    groups = with_groups(catalog, groups)[rows]
    units = _Units(catalog, rows, groups, np.ones(len(rows), bool), seed)
    if k < 2 or len(units.size) < k:
        raise DataError(
            f"cannot make {k} folds",
            found=f"{len(rows)} usable pictures, {len(units.size)} when copies and groups count as one",
            fix="2 folds or more, and at least one different picture for each",
        )
    fold_of = dict.fromkeys(units.size, -1)
    have, filled = np.zeros((k, len(units.classes)), np.int64), np.zeros(k, np.int64)
    for label in units.rarest_first():
        for unit in sorted(units.of_class[label], key=lambda unit: -units.inside[unit][label]):
            if fold_of[unit] < 0:
                fold = int(np.lexsort((filled, have[:, units.classes[label]]))[0])
                fold_of[unit] = fold
                filled[fold] += units.size[unit]
                for other, count in units.inside[unit].items():
                    have[fold, units.classes[other]] += count
    out = np.full(len(catalog), -1, np.int64)
    out[rows] = [fold_of[group] for group in groups.tolist()]
    return out


def with_fold(catalog: Catalog, fold_of: I64, number: int) -> Catalog:
    """fold_of [N] by `folds` -> the catalog with that fold as "valid", the others as "train"; test parts stay."""
    part = catalog.rows["split"].to_list()
    parts = [
        was if fold < 0 or was == "test" else "valid" if fold == number else "train"
        for was, fold in zip(part, fold_of, strict=True)
    ]
    return catalog.with_columns(split=pl.Series("split", parts, dtype=pl.String))


def poor_split(catalog: Catalog, *, groups: I64 | None = None, **shares: float) -> list[Finding]:
    """A split catalog -> findings where a part is far from what was asked for, with the numbers.

    shares: valid=0.2, test=..., as they were asked for. Reported are classes that a part lacks, and parts that hold a
    quarter more or less than asked for: groups cannot be divided, and pictures drawn before stay where they are.
    """
    rows, found = catalog.usable().rows, []
    sizes = Counter(with_groups(catalog, groups)[catalog.rows["id"].is_in(rows["id"].to_list()).to_numpy()].tolist())
    largest = max(sizes.values(), default=0)
    for name, share in _shares(by="label", **shares).items():
        some = rows.filter(pl.col("split") == name)
        if not share or not len(some):
            continue
        wanted = share * len(rows)
        if not 0.75 <= len(some) / wanted <= 1.25 and abs(len(some) - wanted) > 2:
            found.append(
                _poor(
                    some["id"].to_list(),
                    f"The {name} part has {len(some):,} pictures instead of {wanted:,.0f}; the largest group that "
                    f"stays together has {largest:,}.",
                    "Divide groups that are too large; after a change of the share another seed draws anew.",
                    {"part": name, "pictures": len(some), "wanted": round(wanted), "largest_group": largest},
                )
            )
        if catalog.task == "regression":
            continue
        there = set(_each(some["label"]))
        absent = [(label, count) for label, count in catalog.counts().items() if count and label not in there]
        if absent:
            listed = ", ".join(f"{label} ({count:,} in all)" for label, count in absent[:5])
            more = f" and {len(absent) - 5} more" if len(absent) > 5 else ""
            found.append(
                _poor(
                    (),
                    f"The {name} part has no picture of {listed}{more}.",
                    "Add different pictures of these classes: how well they are recognized cannot be told.",
                    {"part": name, "absent": [label for label, _ in absent]},
                )
            )
    return found


class _Units:
    """What is drawn as a whole: groups of pictures that belong together, in the seed's order, with their classes."""

    def __init__(self, catalog: Catalog, rows: I64, groups: I64, drawn: Mask, seed: int) -> None:
        """drawn [R]: rows that count towards the shares; others only say what belongs together."""
        keys = catalog.rows.select(pl.col("sha256").fill_null(pl.col("id"))).to_series().gather(rows).to_list()
        least: dict[int, str] = {}
        for group, key in zip(groups.tolist(), keys, strict=True):
            least[group] = min(key, least.get(group, key))
        order = {group: hashlib.sha256(f"{seed} split {key}".encode()).digest() for group, key in least.items()}
        self.groups = groups
        self.inside: dict[int, Counter[str]] = {group: Counter() for group in sorted(order, key=order.__getitem__)}
        self.size: Counter[int] = Counter(groups.tolist())
        self.labels = _classes(catalog, rows)
        for group, labels, counts in zip(groups.tolist(), self.labels, drawn.tolist(), strict=True):
            if counts:
                self.inside[group].update(labels)
        self.of_class: defaultdict[str, list[int]] = defaultdict(list)
        for group, inside in self.inside.items():
            for label in inside:
                self.of_class[label].append(group)
        self.classes = {label: number for number, label in enumerate(sorted(self.of_class))}
        self.count = Counter({label: sum(self.inside[g][label] for g in some) for label, some in self.of_class.items()})

    def rarest_first(self) -> list[str]:
        return sorted(self.classes, key=lambda label: (self.count[label], label))

    def draw(self, share: float, here: Mask, training: Mask, free: Mask) -> Mask:
        """-> [R] the free rows that go to a part, so that it gets its share of each class.

        here, training [R]: what lies in the part and what is trained on so far. First come those groups that fit in
        whole; then, where something still lacks, the one that overshoots least. A class keeps one group to train on.
        """
        have: Counter[str] = Counter()
        for group in set(self.groups[here].tolist()):
            have.update(self.inside[group])
        trained = np.flatnonzero(training).tolist()
        left = Counter(
            label for _, label in {(self.groups[row], label) for row in trained for label in self.labels[row]}
        )
        waiting, chosen = set(self.groups[free].tolist()), set[int]()
        wanted = {label: max(1, round(share * count)) for label, count in self.count.items()}
        for label in self.rarest_first():
            in_order = self.of_class[label]
            by_size = sorted(in_order, key=lambda group: self.inside[group][label])  # stable: then by the seed
            for groups, whole in ((in_order, True), (by_size, False)):
                for group in groups:
                    inside = self.inside[group]
                    if have[label] >= wanted[label]:
                        break
                    fits = not whole or all(have[k] + count <= wanted[k] for k, count in inside.items())
                    if group in waiting and fits and all(left[k] > 1 for k in inside):
                        chosen.add(group)
                        waiting.discard(group)
                        have.update(inside)
                        left.subtract(inside.keys())
        return np.isin(self.groups, np.array(sorted(chosen), np.int64))


def _shares(*, valid: float = 0.0, test: float = 0.0, train_dev: float = 0.0, by: str) -> dict[str, float]:
    shares = {"test": test, "valid": valid, "train-dev": train_dev}
    if by not in ("label", "time"):
        raise DataError(f"pictures cannot be split by {by!r}", fix=did_you_mean(by, ("label", "time")))
    if not all(0 <= share < 1 for share in shares.values()) or sum(shares.values()) >= 1:
        raise DataError(
            "the shares of the parts leave nothing to train on",
            found=", ".join(f"{name} {share:g}" for name, share in shares.items()),
            fix="shares from 0 to 1, less than 1 together",
        )
    return shares


def _recalled(keys: list[str | None], placed: Names, before: SavedSplits) -> Names:
    """Parts that are not given come from memory."""
    there = {where for where in placed if where in PARTS}
    return np.array(
        [
            recalled
            if where in (None, "train") and key and (recalled := before.get(key)) and recalled not in there
            else where
            for key, where in zip(keys, placed, strict=True)
        ],
        dtype=object,
    )


def _joined(placed: Names, groups: I64) -> Names:
    """A picture that nobody placed goes where a copy of it lies: to the test part before validation before training."""
    rank = {"train": 0, "train-dev": 1, "valid": 2, "test": 3}
    where: dict[int, str] = {}
    for group, part in zip(groups.tolist(), placed, strict=True):
        if part is not None and rank[part] >= rank[where.get(group, "train")]:
            where[group] = part
    return np.array(
        [where.get(g) if part is None else part for g, part in zip(groups.tolist(), placed, strict=True)], dtype=object
    )


def _held(placed: Names, groups: I64) -> Mask:
    """[R] rows with a copy in a part that is not training: they cannot be drawn for another one."""
    return np.isin(groups, groups[np.isin(placed.astype(str), PARTS)])


def _newest(catalog: Catalog, rows: I64, share: float, here: Mask, free: Mask, groups: I64) -> Mask:
    """-> [R] the newest free groups; where the part has pictures already, those newer than its oldest one."""
    time = catalog.rows["time"].gather(rows)
    if time.null_count():
        raise DataError(
            "a split by time needs the time of every picture",
            found=f"{time.null_count():,} of {len(rows):,} usable pictures without one",
            fix="fill the column `time`, or split by label",
        )
    moments = pl.DataFrame({"group": groups, "time": time}).select(pl.col("time").max().over("group"))
    moment = moments["time"].dt.epoch("us").to_numpy()
    if here.any():
        return np.asarray(free & (moment >= moment[here].min()))
    chosen = np.zeros(len(rows), bool)
    for now in np.unique(moment[free])[::-1]:
        step = free & (moment == now)
        if chosen.sum() >= round(share * len(rows)) or (chosen | step).sum() == free.sum():
            break
        chosen |= step
    return chosen


def _check_parts(catalog: Catalog, rows: I64, placed: Names, missing: Mapping[str, float], groups: I64) -> None:
    purposes = {"valid": "validation", "test": "testing", "train-dev": "a train-dev part"}
    training = int((placed == "train").sum())
    for name, share in missing.items():
        if share and (not (placed == name).any() or not training):
            classes = len(set(_each(catalog.rows["label"].gather(rows)))) if catalog.task != "regression" else 0
            among = f" in {classes} class{'es' * (classes != 1)}" if classes else ""
            raise DataError(
                f"too few pictures to set some aside for {purposes[name]}",
                found=f"{len(rows)} pictures{among}, {len(np.unique(groups))} when copies and groups count as one, the "
                f"largest of them {int(np.bincount(groups).max(initial=0))}",
                fix="add pictures: at least two different ones in a class, better twenty in each",
            )


def _classes(catalog: Catalog, rows: I64) -> list[list[str]]:
    """[R] the classes of each picture: by which it is stratified."""
    labels = catalog.rows["label"].gather(rows)
    if catalog.task == "single-label":
        return [[label] for label in labels]
    if catalog.task == "multi-label":
        return [sorted(set(some)) or [NOTHING] for some in labels.to_list()]
    numbers = np.array([np.atleast_1d(number) for number in labels.to_list()], float).reshape(len(rows), -1)
    total = ((numbers - numbers.mean(0)) / np.maximum(numbers.std(0), 1e-12)).sum(1)  # one number: its own order
    rank = pl.Series(total).rank("min").to_numpy() - 1
    bins = max(1, min(BINS, len(rows) // 5))
    return [[str(int(place * bins / len(rows)))] for place in rank]


def _each(labels: pl.Series) -> list[str]:
    return (labels.explode() if isinstance(labels.dtype, pl.List) else labels).drop_nulls().to_list()


def _poor(where: list[str] | tuple[str, ...], evidence: str, advice: str, numbers: dict[str, object]) -> Finding:
    return Finding("poor-split", tuple(where), 0.6, evidence, advice, numbers)
