"""Embeddings and labels -> a fitted probe, kept under the hash of all that it depends on."""

import hashlib
import json
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ursa import workspace
from ursa.core.labels import Labels
from ursa.data.catalog import Catalog
from ursa.data.near_duplicates import with_groups
from ursa.embed import probe
from ursa.embed.probe import Head, Probe
from ursa.embed.store import Embeddings
from ursa.workspace import Workspace

I64 = npt.NDArray[np.int64]

HEAD = ("weight", "bias", "mean", "scale")

VERSION = 3  # raised when the probe computes something else from the same embeddings


def fitted_probe(
    catalog: Catalog,
    labels: Labels,
    embeddings: Embeddings,
    space: Workspace,
    *,
    seed: int,
    folds: int,
    groups: I64 | None = None,
) -> Probe:
    """The probe of a usable catalog and its embeddings, row by row; read from the workspace if nothing has changed.

    groups [N]: pictures with the same number are held out together, beside exact copies and groups.
    """
    if tuple(catalog.ids) != embeddings.ids:
        raise ValueError("embeddings and catalog have to hold the same pictures in the same order")
    groups = with_groups(catalog, groups)
    path = space.probe(_key(catalog, labels, embeddings, seed, folds, groups))
    shape = (len(catalog), embeddings.vectors.shape[1], len(labels))
    if (known := _load(path, shape)) is not None:
        return known
    fitted = probe.fit(
        embeddings.vectors,
        catalog.targets(labels),
        len(labels),
        groups=groups,
        seed=seed,
        folds=folds,
    )
    _save(fitted, path)
    return fitted


def select(catalog: Catalog, embeddings: Embeddings) -> Embeddings:
    """The embeddings of these pictures, in the order of the catalog."""
    place = {id: row for row, id in enumerate(embeddings.ids)}
    rows = [place[id] for id in catalog.ids]
    return Embeddings(tuple(catalog.ids), embeddings.vectors[rows], embeddings.fingerprint)


def _key(catalog: Catalog, labels: Labels, embeddings: Embeddings, seed: int, folds: int, groups: I64) -> str:
    rows = catalog.rows.select("sha256", "label").rows()
    identity = json.dumps([VERSION, embeddings.fingerprint, list(labels.names), seed, folds, rows, groups.tolist()])
    return hashlib.sha256(identity.encode()).hexdigest()[:24]


def _save(fitted: Probe, path: Path) -> None:
    from safetensors.numpy import save

    tensors = {
        **{name: getattr(fitted.head, name) for name in HEAD},
        "probabilities": fitted.probabilities,
        "folds": fitted.folds,
        "settings": np.array([fitted.strength, fitted.shrinkage, *fitted.stacking]),
    }
    workspace.write_sealed(path, save({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}))


def _load(path: Path, shape: tuple[int, int, int]) -> Probe | None:
    """shape: N, D, K. None for a damaged file, and for one that another user wrote: it is fitted and written again."""
    from safetensors.numpy import load

    data = workspace.read_sealed(path)
    if data is None:
        return None
    tensors = load(data)
    n, d, k = shape
    wanted = {"weight": (d, k), "bias": (k,), "mean": (d,), "scale": (d,)}
    wanted |= {"probabilities": (n, k), "folds": (n,), "settings": (4,)}
    if {name: tensor.shape for name, tensor in tensors.items()} != wanted:
        return None
    strength, shrinkage, *stacking = tensors["settings"].tolist()
    return Probe(
        head=Head(*(tensors[name] for name in HEAD)),
        strength=strength,
        shrinkage=shrinkage,
        stacking=(stacking[0], stacking[1]),
        probabilities=tensors["probabilities"],
        folds=tensors["folds"],
    )
