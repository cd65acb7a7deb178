"""Near copies: crops, mirror images, other sizes and encodings of one picture. catalog -> groups. Opens no file.

Hashes (here) and embeddings (`embed/neighbours.py`) only propose pairs; whether two pictures are one is decided by
their miniatures, 32 x 32 grey, which every scan leaves in the catalog. One miniature is slid over the other, cropped on
any side and mirrored, and the two fields of gradients are correlated. Planted copies reach 0.95 and more where distinct
photos stay below 0.93 (`benchmarks/near_copies.py`).
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ursa.core.threads import chunks
from ursa.data.catalog import Catalog
from ursa.data.scan import THUMBNAIL

F32 = npt.NDArray[np.float32]
I64 = npt.NDArray[np.int64]
U64 = npt.NDArray[np.uint64]

BITS = 6  # of the difference hash: re-encoded and resized pictures differ in no more (measured: 97 % of them)
FEW = 40  # so few pictures are all compared with each other
ALIKE = 0.93  # correlation from which two pictures are one, where the set does not ask for more
TOO_ALIKE = 0.97  # planted copies of photos reach 0.95 and more
CHANCE = 0.0005  # pairs tied by chance for each picture, at most: 0.1 % of the pictures
NEAREST = 4  # proposals a picture by its hash: one good one is enough to join its group
CROWD = 512  # a part of a hash that so many pictures share says nothing
COMPARED = 40_000  # proposals by hash that are looked at, the closest ones: some seconds
AT_ONCE = 4_000_000  # pairs held at a time; where pictures are all alike, no more are looked for
PAIRS = 128  # compared at a time


@dataclass(frozen=True)
class NearDuplicates:
    """Which pictures are copies of each other, exact or near."""

    ids: tuple[str, ...]
    groups: I64  # [N] equal for copies, also in a chain; every other picture has a number of its own
    pairs: I64  # [P, 2] rows of near copies: pairs of different bytes that look the same
    scores: F32  # [P] how well the two agree, 1 at best

    def of(self, catalog: Catalog) -> I64:
        """[M] group numbers of some of these pictures, in the order of a catalog."""
        group = dict(zip(self.ids, self.groups.tolist(), strict=True))
        return np.array([group[id] for id in catalog.ids], np.int64)

    def members(self) -> list[I64]:
        """The rows of each group of near copies, the bytes of some of which differ."""
        near = np.unique(self.groups[self.pairs])
        order = np.argsort(self.groups, kind="stable")
        first = np.searchsorted(self.groups[order], near)
        last = np.searchsorted(self.groups[order], near, side="right")
        return [order[a:b] for a, b in zip(first, last, strict=True)]


def near_duplicates(catalog: Catalog, candidates: I64 | None = None) -> NearDuplicates:
    """A scanned catalog -> its copies. candidates [P, 2]: rows that may be copies, beside those with similar hashes."""
    rows = comparable(catalog)
    thumbnails, share = _thumbnails(catalog, rows), 1.0
    if len(rows) <= FEW:
        pairs = rows[np.stack(np.triu_indices(len(rows), 1), axis=1)]
    else:
        hashes = catalog.rows["phash"].gather(rows).fill_null(0).to_numpy()
        similar = similar_hashes(hashes)
        nearest = _nearest(similar, hashes)
        pairs, share = rows[nearest], len(nearest) / max(1, len(similar))
        if candidates is not None:
            pairs = np.unique(np.concatenate([pairs, np.sort(candidates, axis=1)]), axis=0)
    place = np.zeros(len(catalog), np.int64)
    place[rows] = np.arange(len(rows))
    scores = gradient_correlation(thumbnails, place[pairs])
    found = scores >= enough(scores, len(rows), share)
    same = catalog.rows["sha256"].fill_null(catalog.rows["id"]).rank("dense").cast(int).to_numpy() - 1
    return NearDuplicates(tuple(catalog.ids), _joined(same, pairs[found]), pairs[found], scores[found])


def comparable(catalog: Catalog) -> I64:
    """Rows that have a miniature, one of each picture that occurs several times."""
    known = catalog.rows.with_row_index("row").filter(catalog.rows["thumbnail"].is_not_null())
    return known.unique("sha256", keep="first", maintain_order=True)["row"].cast(int).to_numpy().astype(np.int64)


def with_groups(catalog: Catalog, others: I64 | None) -> I64:
    """[N] group numbers: equal for exact copies, the catalog's groups, and pictures with the same number in others."""
    groups = catalog.copies()
    if others is None or not len(groups):
        return groups
    order = np.argsort(others, kind="stable")
    neighbors = np.stack([order[:-1], order[1:]], axis=1)
    return _joined(groups, neighbors[others[order[:-1]] == others[order[1:]]])


def similar_hashes(hashes: U64, bits: int = BITS) -> I64:
    """hashes [N] -> pairs [P, 2] with i < j, at most `bits` (up to 7) apart, as they are or one of them mirrored.

    Multi-index hashing (Norouzi, Punjani and Fleet 2012): of four parts of 16 bits one differs in at most one bit, so
    only pictures that share such a part are compared.
    """
    mirrored, crowd, held = mirror(hashes), min(CROWD, max(8, AT_ONCE // max(1, len(hashes)))), 0
    probes = np.concatenate([[0], 1 << np.arange(16)]).astype(np.uint64)
    found = [np.zeros((0, 2), np.int64)]
    for shift in np.arange(0, 64, 16, dtype=np.uint64):
        part = hashes >> shift & np.uint64(0xFFFF)
        order = np.argsort(part, kind="stable")
        table = part[order]
        for other in (hashes, mirrored):
            for probe in probes:
                wanted = (other >> shift & np.uint64(0xFFFF)) ^ probe
                first = np.searchsorted(table, wanted)
                count = np.searchsorted(table, wanted, side="right") - first
                count[count > crowd] = 0
                a = np.repeat(np.arange(len(hashes)), count)
                b = order[np.arange(count.sum()) - np.repeat(count.cumsum() - count, count) + np.repeat(first, count)]
                distance = np.bitwise_count(other[a] ^ hashes[b])
                near = (distance <= bits) & (a != b)
                found.append(np.sort(np.stack([a[near], b[near]], axis=1), axis=1))
                held += len(found[-1])
                if held > AT_ONCE:
                    found = [np.unique(np.concatenate(found), axis=0)]
                    held = len(found[0])
                    if held > AT_ONCE // 2:  # frames of one film: more of the same would say no more
                        return found[0]
    return np.unique(np.concatenate(found), axis=0)


def _nearest(pairs: I64, hashes: U64) -> I64:
    """Of pairs [P, 2], sorted, those that are among the NEAREST of one of the two: digits are all alike."""
    distance = apart(hashes[pairs[:, 0]], hashes[pairs[:, 1]])
    picture, number = pairs.T.reshape(-1), np.tile(np.arange(len(pairs)), 2)
    order = np.lexsort((number, np.tile(distance, 2), picture))
    rank = np.arange(len(order)) - np.searchsorted(picture[order], picture[order])
    kept = np.unique(number[order[rank < NEAREST]])
    closest = kept[np.argsort(distance[kept], kind="stable")[:COMPARED]]
    return pairs[np.sort(closest)]


def mirror(hashes: U64) -> U64:
    """Difference hashes [N] -> those of the mirrored pictures: each row of 8 bits turned round and negated."""
    turned = np.packbits(np.unpackbits(hashes.astype(">u8").view(np.uint8).reshape(-1, 8), axis=1, bitorder="little"))
    return np.asarray(~turned.view(">u8").astype(np.uint64))


def apart(one: U64, other: U64) -> npt.NDArray[np.uint8]:
    """Hashes [P], [P] -> bits that differ, where the second may be mirrored."""
    straight, turned = np.bitwise_count(one ^ other), np.bitwise_count(one ^ mirror(other))
    return np.asarray(np.minimum(straight, turned))


def enough(scores: F32, pictures: int, share: float = 1.0) -> float:
    """Scores [P] of a share of the candidates among so many pictures -> the score from which two are taken for one.

    Where distinct pictures are alike by nature (digits, X-rays, trousers on white), chance pairs come close to 1. Their
    number falls as about the fourth power of 1 - score (measured: 3.3 for digits, 4.5 for clothing). So those between
    0.7 and 0.85, which are hardly ever copies, tell from where on less than CHANCE of them are to be expected. Where
    that is beyond TOO_ALIKE, most true copies would be missed and the rest be doubtful: then no score is enough.
    """
    many = ((scores > 0.7) & (scores < 0.85)).sum() / max(share, 1e-9)
    if not many:
        return ALIKE
    least = (CHANCE * pictures / many * (0.3**4 - 0.15**4)) ** 0.25
    return float(max(ALIKE, 1 - least)) if 1 - least <= TOO_ALIKE else math.inf


# --- miniatures ----------------------------------------------------------------------------------------------------

COARSE, FINE = 8, 24  # cells a side
SHARES = (1.0, 0.95, 0.9, 0.85, 0.8)  # of a side that a crop keeps
STEPS = (0.025, 0.0125, 0.00625)  # by which the best crop's sides are then moved
PROMISING = 0.6  # before that; the sides' moves add up to 0.2


def gradient_correlation(thumbnails: F32, pairs: I64) -> F32:
    """miniatures [M, 32, 32], pairs [P, 2] -> [P] correlation of gradients where one fits best into the other."""
    parts = [pairs[first : first + PAIRS] for first in range(0, len(pairs), PAIRS)]
    done = [
        score
        for some in chunks(parts, lambda part: _gradient_correlation(thumbnails[part[:, 0]], thumbnails[part[:, 1]]))
        for score in some
    ]
    return np.concatenate([np.zeros(0, np.float32), *done])


def _gradient_correlation(one: F32, other: F32) -> F32:
    inside = np.stack([_coarse(one, other), _coarse(other, one)], axis=1)  # [P, which is cropped, mirrored, crops]
    crops = _crops()
    which, turned, crop = np.unravel_index(inside.reshape(len(one), -1).argmax(1), (2, 2, len(crops) ** 2))
    large = np.where(which[:, None, None] == 0, one, other)
    small = np.where(which[:, None, None] == 0, other, one)
    small = np.where(turned[:, None, None] == 1, small[:, :, ::-1], small)
    whole = _gradients(_cut(small, np.tile(np.array([0, 1, 0, 1], np.float32), (len(small), 1))))
    sides = np.concatenate([crops[crop // len(crops)], crops[crop % len(crops)]], axis=1)  # top, bottom, left, right
    best = (_gradients(_cut(large, sides)) * whole).sum(1)
    promising = np.flatnonzero(best > PROMISING)
    if len(promising):
        best[promising] = _refined(large[promising], whole[promising], sides[promising], best[promising])
    return np.asarray(best, np.float32)


def _refined(large: F32, whole: F32, sides: F32, best: F32) -> F32:
    """Moves each side of the crop in ever smaller steps for as long as it helps: coordinate ascent."""
    for step in STEPS:
        for side in range(4):
            here = sides
            for move in (-step, step):
                moved = here.copy()
                moved[:, side] = (moved[:, side] + np.float32(move)).clip(0, 1)
                score = (_gradients(_cut(large, moved)) * whole).sum(1)
                better = score > best
                best, sides = np.where(better, score, best), np.where(better[:, None], moved, sides)
    return best


def _coarse(large: F32, small: F32) -> F32:
    """-> [P, 2, crops] correlation of every crop of one with the whole other, straight and mirrored."""
    crops = _crops()
    q, weights = len(crops), _weights(crops, COARSE).reshape(-1, large.shape[1])
    every = np.asarray(weights @ large @ weights.T, np.float32).reshape(-1, q, COARSE, q, COARSE)
    cut = _normal(every.transpose(0, 1, 3, 2, 4).reshape(len(large), q * q, -1))
    whole: F32 = np.asarray(weights[:COARSE] @ small @ weights[:COARSE].T, np.float32)
    both = _normal(np.stack([whole, whole[:, :, ::-1]], axis=1).reshape(len(small), 2, -1))
    return np.asarray(both @ cut.transpose(0, 2, 1), np.float32)


def _crops() -> F32:
    """[C, 2] where a crop may begin and end on one axis, the whole first."""
    starts = [(share, np.linspace(0, 1 - share, round((1 - share) / 0.05) + 1)) for share in SHARES]
    return np.array([(start, start + share) for share, many in starts for start in many], np.float32)


def _cut(thumbnails: F32, sides: F32) -> F32:
    """miniatures [P, 32, 32], sides [P, 4] top, bottom, left, right -> means of the crop's FINE x FINE cells."""
    rows, columns = _weights(sides[:, :2], FINE), _weights(sides[:, 2:], FINE)
    return np.asarray(rows @ thumbnails @ columns.transpose(0, 2, 1), np.float32)


def _weights(crops: F32, cells: int) -> F32:
    """crops [C, 2] -> [C, cells, 32]: how much each pixel counts in the mean of each cell."""
    size = THUMBNAIL
    edges = (crops[:, :1] + (crops[:, 1:] - crops[:, :1]) * np.linspace(0, 1, cells + 1, dtype=np.float32)) * size
    covered = np.diff((edges[:, :, None] - np.arange(size, dtype=np.float32)).clip(0, 1), axis=1)
    return np.asarray(covered / covered.sum(2, keepdims=True).clip(1e-6))


def _gradients(cells: F32) -> F32:
    """[P, n, n] -> [P, F] differences to the right and downwards, of length 1; of a picture of one colour 0."""
    right = (cells[:, :-1, 1:] - cells[:, :-1, :-1]).reshape(len(cells), -1)
    down = (cells[:, 1:, :-1] - cells[:, :-1, :-1]).reshape(len(cells), -1)
    field = np.concatenate([right, down], axis=1)
    length = np.sqrt((field * field).sum(1, keepdims=True) + 1.0)  # 1: of one grey level nothing can be said
    return np.asarray(field / length, np.float32)


def _normal(vectors: F32) -> F32:
    centered = vectors - vectors.mean(-1, keepdims=True)
    return np.asarray(centered / np.sqrt((centered * centered).sum(-1, keepdims=True) + 1.0), np.float32)


def _thumbnails(catalog: Catalog, rows: I64) -> F32:
    """[M, 32, 32] of these rows."""
    data = b"".join(catalog.rows["thumbnail"].gather(rows))
    return np.frombuffer(data, np.uint8).reshape(-1, THUMBNAIL, THUMBNAIL).astype(np.float32)


def _joined(groups: I64, pairs: I64) -> I64:
    """groups [N], pairs [P, 2] of rows -> groups that hold both rows of every pair, numbered from 0."""
    above = np.arange(groups.max(initial=-1) + 1)

    def top(group: int) -> int:
        while above[group] != group:
            above[group] = above[above[group]]
            group = int(above[group])
        return group

    for one, other in groups[pairs]:
        low, high = sorted((top(one), top(other)))
        above[high] = low
    tops = np.array([top(group) for group in range(len(above))], np.int64)
    return np.unique(tops[groups], return_inverse=True)[1].reshape(-1).astype(np.int64)
