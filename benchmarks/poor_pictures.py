"""Poor and foreign pictures that were planted into the shared sets: how many are named, and what else is.

Planted ones are made in a temporary folder and embedded there; the sets themselves are embedded once.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
from common import BACKBONE, SQUEEZENET, report, shared
from PIL import Image
from planted_pictures import PLANTED, spoiled
from sklearn.metrics import average_precision_score

from ursa.clean.outliers import distances, outliers
from ursa.clean.poor_pictures import poor_pictures
from ursa.clean.quality import quality
from ursa.core import seeds
from ursa.core.finding import Finding
from ursa.data.catalog import Catalog
from ursa.embed.linear_models.principal_components import standardization
from ursa.embed.similar_embeddings import near_duplicate_groups
from ursa.embed.store import Embeddings
from ursa.prepared.setup import Clock, Setup, prepared

HOSTS = ("dogs_cats", "clothing", "bears_thumbs")
FOREIGN = {"dogs_cats": "clothing", "clothing": "dogs_cats", "bears_thumbs": "dogs_cats"}
SHARE = 0.02  # of poor pictures
SHARES = (0.01, 0.02, 0.05)  # of foreign ones
DRAWS = 3
KINDS = ("blank", "dark", "overexposed", "low-information", "blurred", "odd-shape", "outlier")

Data = tuple[Catalog, Embeddings]


def main(only: Sequence[str] = HOSTS) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        known = {name: embedded(shared(name), place / "spaces" / name) for name in HOSTS}
        rows = []
        for kind, wanted in PLANTED.items():
            cells = []
            for name in only:
                planted = embedded(
                    planted_folder(kind, name, known[name][0], place), place / "spaces" / f"{name}-{kind}"
                )
                data, new = together(known[name], planted)
                cells.append(named(found_in(data), wanted, new))
            rows.append([f"{kind}, {100 * SHARE:.0f} %", wanted, *cells])
        for share in SHARES:
            cells = [foreign(known[name], known[FOREIGN[name]], share) for name in only]
            rows.append([f"pictures of another set, {100 * share:.0f} %", "outlier", *cells])
        for kind in KINDS:
            clean = [[f for f in found_in(known[name]) if f.kind == kind] for name in only]
            rows.append(["nothing", kind, *(f"{sum(len(f.where) for f in some)} named" for some in clean)])
    note = (
        "Recall, precision. What the sets themselves hold of a kind counts as a false alarm. Of pictures of another "
        f"set means of {DRAWS} draws, and areas under precision-recall: of the distance that is used, and of the "
        "distance of standardized embeddings. Foreign are clothing among dogs and cats, dogs and cats elsewhere."
    )
    report("poor_pictures", "Poor and foreign pictures, planted", ["planted", "kind", *only], rows, note)


def found_in(data: Data) -> list[Finding]:
    return [finding for check in (quality, poor_pictures, outliers) for finding in check(*data)]


def named(findings: Sequence[Finding], kind: str, new: set[str]) -> str:
    """Recall and precision of a kind; of a kind that several were named together, too."""
    said = {id for finding in findings if finding.kind == kind for id in finding.where}
    hits = len(said & new)
    return f"{100 * hits / len(new):.0f} %, {100 * hits / max(1, len(said)):.0f} %"


def foreign(data: Data, other: Data, share: float) -> str:
    """Recall and precision of the outliers, and areas under precision-recall."""
    found = []
    for seed in range(DRAWS):
        count = max(3, round(share * len(data[1].ids) / (1 - share)))
        rows = seeds.generator(seed, "foreign").permutation(len(other[1].ids))[:count]
        some = other[0].where(pl.col("id").is_in([other[1].ids[row] for row in rows]))
        both, new = together(data, (some, embeddings_of(some, other[1])))
        said = {id for finding in outliers(*both) for id in finding.where}
        is_new = np.array([id in new for id in both[1].ids])
        groups = near_duplicate_groups(*both).of(both[0])
        areas = [
            average_precision_score(is_new, far)
            for far in (distances(both[1].vectors, groups)[0], plain(both[1], groups))
        ]
        found.append([len(said & new) / count, len(said & new) / max(1, len(said)), *areas])
    recall, precision, area, before = np.mean(found, axis=0)
    return f"{100 * recall:.0f} %, {100 * precision:.0f} %; {area:.2f}, {before:.2f}"


def plain(embeddings: Embeddings, groups: np.ndarray) -> np.ndarray:
    mean, scale = standardization(embeddings.vectors)
    points = (embeddings.vectors - mean) * scale
    squares = np.square(points).sum(1)
    apart = squares[:, None] + squares - 2 * points @ points.T
    apart[groups[:, None] == groups] = np.inf
    nearest = max(10, round(0.03 * len(points)))
    return np.partition(apart, nearest - 1, axis=1)[:, nearest - 1]


def embedded(folder: Path, space: Path) -> Data:
    ready = prepared(folder, Setup.of(backbone=BACKBONE, weights=SQUEEZENET, workspace=space), Clock())
    return ready.catalog.readable(), ready.embeddings


def embeddings_of(catalog: Catalog, embeddings: Embeddings) -> Embeddings:
    place = {id: row for row, id in enumerate(embeddings.ids)}
    return Embeddings(tuple(catalog.ids), embeddings.vectors[[place[id] for id in catalog.ids]], embeddings.fingerprint)


def together(one: Data, other: Data) -> tuple[Data, set[str]]:
    """Both, and the ids of the other's, whose pictures are put into the first class of one."""
    label = one[0].labels.names[0]
    added = other[0].rows.with_columns(id="planted/" + pl.col("id"), label=pl.lit(label), split=pl.lit(None, pl.String))
    catalog = Catalog(one[0].root, pl.concat([one[0].rows, added]))
    vectors = np.concatenate([one[1].vectors, other[1].vectors])
    return (catalog, Embeddings(tuple(catalog.ids), vectors, f"{one[1].fingerprint}+")), set(added["id"])


def planted_folder(kind: str, name: str, catalog: Catalog, place: Path) -> Path:
    """A folder of SHARE as many spoiled pictures as the catalog has, drawn from it, under two classes."""
    draw, folder = seeds.generator(0, "planted", HOSTS.index(name)), place / f"{name}-{kind}"
    for number, row in enumerate(draw.permutation(len(catalog))[: max(10, round(SHARE * len(catalog)))].tolist()):
        target = folder / "ab"[number % 2] / f"{number:03}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(catalog.files()[row]) as picture:
            spoiled(kind, picture, draw).save(target, quality=88)
    return folder


if __name__ == "__main__":
    main(sys.argv[1:] or HOSTS)
