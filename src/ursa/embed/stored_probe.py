"""Embeddings and labels -> a fitted probe, kept under the hash of all that it depends on."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ursa.core.labels import Labels
from ursa.data.catalog import Catalog
from ursa.data.near_duplicates import with_groups
from ursa.embed import probe
from ursa.embed.probe import Head, Probe
from ursa.embed.store import Embeddings
from ursa.embed.stored_arrays import read_arrays, write_arrays
from ursa.workspace import Workspace

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]

HEAD = ("weight", "bias", "mean", "scale")

# Divisions into folds that a label is judged by. Area under precision-recall of planted wrong labels with 1, 3, 5 of
# them: .841, .849, .851; each beyond the first takes a quarter of a fit (benchmarks/wrong_labels.py).
REPEATS = 3

VERSION = 4  # raised when the probe computes something else from the same embeddings


@dataclass(frozen=True)
class ProbeInputs:
    """All that a probe depends on: usable pictures and their embeddings, row by row, and how they are held out."""

    catalog: Catalog
    labels: Labels
    embeddings: Embeddings
    groups: I64  # [N] pictures with the same number are held out together
    seed: int
    folds: int
    unlabeled: F32 | None = None  # [M, D] of pictures without a label

    @classmethod
    def of(
        cls,
        catalog: Catalog,
        labels: Labels,
        embeddings: Embeddings,
        *,
        seed: int,
        folds: int,
        groups: I64 | None = None,
        unlabeled: F32 | None = None,
    ) -> "ProbeInputs":
        """groups: near duplicates, beside which exact copies and the catalog's groups are held out together."""
        if tuple(catalog.ids) != embeddings.ids:
            raise ValueError("embeddings and catalog have to hold the same pictures in the same order")
        return cls(catalog, labels, embeddings, with_groups(catalog, groups), seed, folds, unlabeled)

    @property
    def targets(self) -> I64:
        """[N] numbers of classes."""
        return self.catalog.targets(self.labels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Pictures, features, classes."""
        return len(self.catalog), self.embeddings.vectors.shape[1], len(self.labels)

    def path(self, space: Workspace) -> Path:
        """Where their probe lies: named by the hash of all of this."""
        rows = self.catalog.rows.select("sha256", "label").rows()
        how = [self.seed, self.folds, rows, self.groups.tolist()]
        rest = "" if self.unlabeled is None else hashlib.sha256(self.unlabeled.tobytes()).hexdigest()
        identity = json.dumps([VERSION, self.embeddings.fingerprint, list(self.labels.names), rest, *how])
        return space.probe(hashlib.sha256(identity.encode()).hexdigest()[:24])


def fitted_probe(inputs: ProbeInputs, space: Workspace) -> Probe:
    """The probe of these pictures; read from the workspace if nothing has changed."""
    path = inputs.path(space)
    if (known := _load(path, inputs.shape)) is not None:
        return known
    vectors, classes = inputs.embeddings.vectors, len(inputs.labels)
    fitted = probe.fit(
        vectors,
        inputs.targets,
        classes,
        groups=inputs.groups,
        seed=inputs.seed,
        folds=inputs.folds,
        unlabeled=inputs.unlabeled,
    )
    _save(fitted, path)
    return fitted


def known_probe(inputs: ProbeInputs, space: Workspace) -> Probe | None:
    """What `fitted_probe` gave before for the same pictures, if it did."""
    return _load(inputs.path(space), inputs.shape)


def repeated_probabilities(inputs: ProbeInputs, fitted: Probe, space: Workspace) -> list[F32]:
    """The [N, K] out-of-sample probabilities of `fitted`, and of REPEATS - 1 other divisions into folds; kept."""
    path = space.fold_repeats(inputs.path(space).stem)
    more, wanted = REPEATS - 1, fitted.probabilities.shape
    known = read_arrays(path)
    names = [f"repeat{number}" for number in range(more)]
    if known is None or {name: known[name].shape for name in known} != dict.fromkeys(names, wanted):
        found = probe.fold_repeats(
            fitted,
            inputs.embeddings.vectors,
            inputs.targets,
            groups=inputs.groups,
            seed=inputs.seed,
            folds=inputs.folds,
            repeats=more,
        )
        known = dict(zip(names, found, strict=True))
        write_arrays(path, known)
    return [fitted.probabilities, *(known[name] for name in names)]


def select(catalog: Catalog, embeddings: Embeddings) -> Embeddings:
    """The embeddings of these pictures, in the order of the catalog."""
    place = {id: row for row, id in enumerate(embeddings.ids)}
    rows = [place[id] for id in catalog.ids]
    return Embeddings(tuple(catalog.ids), embeddings.vectors[rows], embeddings.fingerprint)


def _save(fitted: Probe, path: Path) -> None:
    arrays = {
        **{name: getattr(fitted.head, name) for name in HEAD},
        "probabilities": fitted.probabilities,
        "folds": fitted.folds,
        "settings": np.array([fitted.strength, fitted.shrinkage, *fitted.stacking, fitted.unlabeled]),
    }
    write_arrays(path, arrays)


def _load(path: Path, shape: tuple[int, int, int]) -> Probe | None:
    """shape: N, D, K. None for what cannot be read, or holds something else: it is fitted and written again."""
    arrays = read_arrays(path)
    if arrays is None:
        return None
    n, d, k = shape
    wanted = {"weight": (d, k), "bias": (k,), "mean": (d,), "scale": (d,)}
    wanted |= {"probabilities": (n, k), "folds": (n,), "settings": (5,)}
    if {name: array.shape for name, array in arrays.items()} != wanted:
        return None
    strength, shrinkage, *stacking, unlabeled = arrays["settings"].tolist()
    return Probe(
        head=Head(*(arrays[name] for name in HEAD)),
        strength=strength,
        shrinkage=shrinkage,
        stacking=(stacking[0], stacking[1]),
        probabilities=arrays["probabilities"],
        folds=arrays["folds"],
        unlabeled=int(unlabeled),
    )
