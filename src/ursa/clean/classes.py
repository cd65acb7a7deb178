"""Classes that cannot be learned or measured as they are. catalog -> findings. Reads, never writes."""

import re
import unicodedata
from collections import defaultdict

import polars as pl

from ursa.core.finding import Finding
from ursa.data.catalog import Catalog
from ursa.embed.store import Embeddings

FEW = 10  # with fewer, the 95 % interval of a class's recall is wider than 50 points (Wilson 1927)
UNEVEN = 10  # times as many pictures in the largest class as in the smallest


def small_classes(catalog: Catalog, _embeddings: Embeddings | None = None) -> list[Finding]:
    """One finding a class that has fewer than FEW usable pictures."""
    return [
        Finding(
            kind="small-class",
            where=_ids(catalog, name),
            score=1 - count / FEW,
            evidence=f"{name} has {count or 'no'} usable picture{'s' * (count > 1)}.",
            advice="Too few to learn from and to measure: add twenty or more, or leave the class out.",
        )
        for name, count in catalog.counts().items()
        if count < FEW
    ]


def imbalance(catalog: Catalog, _embeddings: Embeddings | None = None) -> list[Finding]:
    """One finding where the largest class has more than UNEVEN times as many pictures as the smallest.

    Classes with fewer than FEW are left out: `small_classes` names them, and weights do not help there.
    """
    counts = {name: count for name, count in catalog.counts().items() if count >= FEW}
    if not counts:
        return []
    most, least = max(counts, key=lambda name: counts[name]), min(counts, key=lambda name: counts[name])
    ratio = counts[most] / counts[least]
    if ratio <= UNEVEN:
        return []
    return [
        Finding(
            kind="imbalance",
            where=_ids(catalog, least),
            score=1 - UNEVEN / ratio,
            evidence=f"{most} has {counts[most]:,} usable pictures, {ratio:.0f} times as many as {least}.",
            advice="Judge by each class's recall, and train with --set class_weights=true or --set oversample=true.",
            numbers={most: counts[most], least: counts[least]},
        )
    ]


def similar_classes(catalog: Catalog, _embeddings: Embeddings | None = None) -> list[Finding]:
    """One finding for names that differ only in case, spaces, "_" and "-", or in how Unicode writes them.

    `where` has the pictures of all but the commonest of them.
    """
    alike = defaultdict(list)
    for name in catalog.labels.names:
        alike[_plain(name)].append(name)
    counts = catalog.counts()
    found = []
    for names in alike.values():
        if len(names) == 1:
            continue
        names = sorted(names, key=lambda name: -counts[name])
        listed = " and ".join(f"{_visible(name)} ({counts[name]:,})" for name in names)
        found.append(
            Finding(
                kind="similar-classes",
                where=tuple(id for name in names[1:] for id in _ids(catalog, name)),
                score=0.8,
                evidence=f"{listed} look like one class, spelled in {len(names)} ways.",
                advice="A model learns them as different classes: rename them if they are the same.",
                numbers={name: counts[name] for name in names},
            )
        )
    return found


def missing_classes(catalog: Catalog, _embeddings: Embeddings | None = None) -> list[Finding]:
    """One finding a class that one of the given splits has no usable picture of; those not to be learned come first."""
    usable = catalog.usable()
    if catalog.task == "regression" or usable.rows["split"].n_unique() < 2:
        return []
    pairs = usable.rows.select("label", pl.col("split").fill_null("train"))
    if isinstance(pairs.schema["label"], pl.List):
        pairs = pairs.explode("label")
    order = ("train", "train-dev", "valid", "test")
    splits = [name for name in order if name in set(pairs["split"])]
    there = defaultdict(set)
    for name, split in pairs.unique().iter_rows():
        there[name].add(split)
    found = [
        _missing(catalog, name, [s for s in splits if s in there[name]], [s for s in splits if s not in there[name]])
        for name in catalog.labels.names
        if 0 < len(there[name]) < len(splits)
    ]
    return sorted(found, key=lambda finding: -finding.score)


def _missing(catalog: Catalog, name: str, there: list[str], lacking: list[str]) -> Finding:
    learned, verb = "train" in there, "has" if len(lacking) == 1 else "have"
    only = " only" if len(there) == 1 else ""
    if learned:
        advice = "Its accuracy cannot be measured there: put some of its pictures into each split."
    else:
        advice = "It cannot be learned: put some of its pictures into train."
    return Finding(
        kind="class-in-one-split",
        where=_ids(catalog, name),
        score=0.4 if learned else 0.9,
        evidence=f"{name} is in {_and(there)}{only}, {_and(lacking)} {verb} no picture of it.",
        advice=advice,
    )


def _and(words: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _ids(catalog: Catalog, name: str) -> tuple[str, ...]:
    """The pictures of a class, those with several classes too."""
    several = catalog.task == "multi-label"
    return tuple(catalog.where(pl.col("label").list.contains(name) if several else pl.col("label") == name).ids)


def _plain(name: str) -> str:
    """What is left of a name: without case, spaces, "_" and "-", but "1-2" is not "12"."""
    text = unicodedata.normalize("NFKC", name).casefold().strip(" _-\t\n")
    return re.sub(r"(?<!\d)[\s_-]+|[\s_-]+(?!\d)", "", re.sub(r"[\s_-]+", " ", text)) or name


def _visible(name: str) -> str:
    """In quotes where a space would not be seen otherwise; the letters one by one where they are written in parts."""
    if unicodedata.normalize("NFC", name) != name:
        return ascii(name)
    return repr(name) if name != name.strip() or "  " in name else name
