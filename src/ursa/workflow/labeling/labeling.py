"""Pictures of which some or all have no label -> what to show next, and the labels that a person gives, as decisions.

The journal holds all that was said, so that a session may end anywhere; nothing is read or embedded twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import polars as pl

from ursa.clean.decisions.corrections import corrected
from ursa.clean.decisions.journal import read_journal
from ursa.clean.decisions.standing import standing
from ursa.clean.labeling.alike import group_alike, likeness, row_size
from ursa.clean.labeling.expected_accuracy import SHARE, ExpectedAccuracy, expected_accuracy, random_part
from ursa.clean.labeling.next_to_label import next_to_label, sure_rows
from ursa.core.labels import Labels
from ursa.core.progress import Progress
from ursa.core.progress_display import shown
from ursa.data.catalog import Catalog
from ursa.data.near_duplicates import with_groups
from ursa.embed import probe
from ursa.embed.probe import Probe
from ursa.embed.similar_embeddings import near_duplicate_groups
from ursa.embed.stored_probe import select
from ursa.errors import DataError
from ursa.prepared import last_setup
from ursa.prepared.default_backbone import with_backbone
from ursa.prepared.setup import Clock, Setup, embedded, listed
from ursa.recipe import Recipe, recipe_from
from ursa.workflow.deciding.decide import decide
from ursa.workflow.labeling.labeling_progress import LabelingProgress
from ursa.workflow.results.decided import Decided
from ursa.workspace import Workspace

if TYPE_CHECKING:
    from ursa.prepared.setup import Data

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

ALIKE_ROWS = 10  # before a classifier chooses (benchmarks/labeling.py)
# The random part is held out at once while it is small: so the others teach as nearly as in the end. Cross-validated it
# looks 8 points worse than on new pictures, held out at once 6 (clothing, 200 labels, 25 judges: chance is as large).
HELD_OUT = 0.2


@dataclass(frozen=True)
class LabelRow:
    """Pictures to show in one row."""

    ids: tuple[str, ...]
    purpose: (
        str  # "alike": one class, probably; "teach": the least sure; "judge": by chance; "confirm": likely of one class
    )
    likely: str | None = None  # their class, as far as a classifier knows it
    probability: float | None = None  # of it, on average


@dataclass(frozen=True)
class Labeling:
    """A session: begun by `open`, and driven by `next_rows`, `label`, `progress`. A frozen value; `label` gives a new
    one."""

    data: "Data"
    keywords: Mapping[str, object] = field(repr=False)  # how the pictures are found
    catalog: Catalog = field(repr=False)  # scanned, readable, none of the test part
    vectors: F32 = field(repr=False)  # [N, D]
    like: F32 = field(repr=False)  # [N, D]
    groups: I64 = field(repr=False)  # [N] copies share a number
    space: Workspace = field(repr=False)
    seed: int
    outcomes: tuple[tuple[int, int], ...] = ()  # of the rows of alike ones so far
    fits: dict[str, Probe] = field(default_factory=dict, repr=False, compare=False)  # the last one, by its labels

    @classmethod
    def open(
        cls,
        data: "Data",
        *,
        backbone: str | None = None,
        weights: str | Path | None = None,
        workspace: str | Path | None = None,
        pattern: str | None = None,
        table: Mapping[str, str] | None = None,
        device: str = "cpu",
        seed: int | None = None,
        progress: Progress | bool | None = None,
    ) -> "Labeling":
        """Scan and embed pictures, as `ursa.check` does. Raises DataError where each has not one class at most."""
        with shown(progress) as bar:
            setup = Setup.of(
                backbone=backbone,
                weights=weights,
                workspace=workspace,
                pattern=pattern,
                table=table,
                device=device,
                progress=bar,
            )
            pictures, space = listed(data, setup)
            if pictures.task != "single-label":
                raise DataError("pictures are labeled here where each has one class", found=pictures.task)
            setup = with_backbone(setup, pictures, space, trains=False)
            ready = embedded(pictures, space, setup, Clock())
        last_setup.remember(space, data, setup)
        catalog = ready.catalog.readable().where(pl.col("split").fill_null("train") != "test")
        vectors = select(catalog, ready.embeddings).vectors
        groups = with_groups(catalog, near_duplicate_groups(ready.catalog, ready.embeddings).of(catalog))
        keywords = {"workspace": workspace, "pattern": pattern, "table": table}
        return cls(
            data, keywords, catalog, vectors, likeness(vectors), groups, space, recipe_from(None, seed=seed).seed
        )

    def next_rows(self, count: int = 6, *, finish: bool = False) -> tuple[LabelRow, ...]:
        """What to show next, at most so many rows: alike ones first; then what teaches most, one by one, and each tenth
        by chance. None once every picture was looked at.

        finish: all pictures are to get a label, so that rows of which a classifier is sure come before those.
        """
        now = self._now()
        if now.looked_at.all():
            return ()
        fitted = now.fit() if len(self.outcomes) >= ALIKE_ROWS or now.labeled.sum() >= ALIKE_ROWS else None
        if fitted is None:
            size = row_size(self.outcomes)
            rows = group_alike(self.like, now.looked_at, count=count, size=size, seed=self.seed)
            return tuple(LabelRow(tuple(self.catalog.ids[row] for row in some), "alike") for some in rows)
        return self._chosen(now, fitted, count, finish)

    def label(self, row: LabelRow | str | Sequence[str], label: str, *, removed: Sequence[str] = ()) -> "Labeling":
        """A row, an id or several are of this class, but for those removed; new classes begin with their first label.

        -> the session, which learned from it how many to show in a row. Raises DataError as `ursa.decide`.
        """
        ids = row.ids if isinstance(row, LabelRow) else (row,) if isinstance(row, str) else tuple(row)
        if strangers := sorted(set(removed) - set(ids)):
            raise DataError("only pictures of the row are taken out of it", found=strangers[0])
        kept = [id for id in ids if id not in set(removed)]
        if kept:
            self._decide(kept, label=label, new_class=True)
        alike = isinstance(row, LabelRow) and row.purpose == "alike"
        return replace(self, outcomes=(*self.outcomes, (len(kept), len(ids)))) if alike else self

    def not_sure(self, ids: str | Sequence[str]) -> Decided:
        """They were looked at, and are not shown again."""
        return self._decide([ids] if isinstance(ids, str) else list(ids), "not-sure")

    def progress(self) -> LabelingProgress:
        """How far it is, what accuracy to expect now, and with 50 more labels."""
        now = self._now()
        fitted = now.fit()
        labels, left = int(now.labeled.sum()), int((~now.looked_at).sum())
        accuracy = now.expected(fitted) if fitted else expected_accuracy(np.zeros(0, np.bool_), labels)
        return LabelingProgress(labels, left, now.catalog.labeled().counts(), accuracy)

    def _chosen(self, now: "_Now", fitted: Probe, count: int, finish: bool) -> tuple[LabelRow, ...]:
        """Every picture in one row at most."""
        free, ids, names = np.flatnonzero(~now.looked_at), self.catalog.ids, now.labels.names
        probabilities = fitted.head.probabilities(self.vectors[free])
        judges, next_judge = random_part(now.hashes, now.labeled, now.looked_at)
        found = []
        if next_judge is not None and judges.sum() < SHARE * now.labeled.sum():
            found.append(LabelRow((ids[next_judge],), "judge"))
        for some in sure_rows(probabilities) if finish else ():
            members = tuple(ids[row] for row in free[some.rows])
            found.append(LabelRow(members, "confirm", names[some.label], some.probability))
        for row in next_to_label(probabilities, self.like[free], count, seed=self.seed).tolist():
            likely = int(probabilities[row].argmax())
            found.append(LabelRow((ids[free[row]],), "teach", names[likely], float(probabilities[row, likely])))
        return _once(found)[:count]

    def _decide(self, ids: Sequence[str], decision: str | None = None, **said: object) -> Decided:
        return decide(self.data, list(ids), decision, **{**self.keywords, **said})  # type: ignore[arg-type]

    def _now(self) -> "_Now":
        stands = standing(read_journal(self.space).believed())
        result = corrected(self.catalog, stands)
        gone = {id for id, _ in result.removed}
        labels = dict(result.catalog.rows.select("id", "label").iter_rows())
        passed = {decided.sha256 for decided in stands if decided.kind == "not-sure"}
        hashes = self.catalog.rows["sha256"].to_list()
        labeled = np.array([labels.get(id) is not None for id in self.catalog.ids], np.bool_)
        rest = [key in passed or id in gone for id, key in zip(self.catalog.ids, hashes, strict=True)]
        return _Now(self, result.catalog, labeled, labeled | np.array(rest, np.bool_), hashes)


def _once(rows: Sequence[LabelRow]) -> tuple[LabelRow, ...]:
    """The rows without pictures that an earlier one shows."""
    taken: set[str] = set()
    kept = []
    for row in rows:
        ids = tuple(id for id in row.ids if id not in taken)
        taken.update(ids)
        if ids:
            kept.append(replace(row, ids=ids))
    return tuple(kept)


@dataclass(frozen=True)
class _Now:
    """What the journal says by now."""

    session: Labeling
    catalog: Catalog  # with the labels so far
    labeled: Mask  # [N]
    looked_at: Mask  # [N] labeled, deleted, or not sure
    hashes: Sequence[str]  # [N]

    @property
    def labels(self) -> Labels:
        """The classes so far."""
        return self.catalog.labels

    def targets(self) -> I64:
        """[M] classes of the labeled."""
        return self.catalog.labeled().targets(self.labels)

    def fit(self) -> Probe | None:
        """A probe of the labeled, and of what has no label; None without two classes of two different pictures each."""
        if not self.labeled.any():
            return None
        key = repr((self.labels.names, self.targets().tobytes(), self.labeled.tobytes(), self._judges().tobytes()))
        if key not in self.session.fits:
            if (fitted := self._fitted()) is None:
                return None
            self.session.fits.clear()
            self.session.fits[key] = fitted
        return self.session.fits[key]

    def expected(self, fitted: Probe) -> ExpectedAccuracy:
        """By the random part, held out; how errors fall from labels without a fifth of them and without a half."""
        known, targets = np.flatnonzero(self.labeled), self.targets()
        fair = fitted.probabilities.argmax(1) == targets
        wrong = [self._wrong(fitted, known, targets, folds) for folds in (Recipe().probe.folds, 2)]
        return expected_accuracy(fair[self._judges()[known]], len(known), (wrong[0], wrong[1]))

    def _fitted(self) -> Probe | None:
        known, targets = np.flatnonzero(self.labeled), self.targets()
        groups, vectors = self.session.groups[known], self.session.vectors[known]
        first = np.unique(groups, return_index=True)[1]
        if (np.bincount(targets[first], minlength=1) >= 2).sum() < 2:
            return None
        judges = self._judges()[known]
        if 0 < judges.sum() <= HELD_OUT * len(known):
            groups = np.where(np.isin(groups, groups[judges]), -1, groups)  # one group: held out at once
        return probe.fit(
            vectors,
            targets,
            len(self.labels),
            groups=groups,
            seed=self.session.seed,
            folds=Recipe().probe.folds,
            unlabeled=self.session.vectors[~self.labeled],
        )

    def _wrong(self, fitted: Probe, known: I64, targets: I64, folds: int) -> int:
        """Labeled pictures that probes without their fold are wrong of."""
        groups, seed = self.session.groups[known], self.session.seed
        (said,) = probe.fold_repeats(
            fitted, self.session.vectors[known], targets, groups=groups, seed=seed, folds=folds, repeats=1
        )
        return int((said.argmax(1) != targets).sum())

    def _judges(self) -> Mask:
        """[N] the random part."""
        return random_part(self.hashes, self.labeled, self.looked_at)[0]
