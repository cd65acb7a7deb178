"""Pictures that show little: blank, dark, overexposed, without detail, blurred. catalog -> findings. Opens no file.

Judged by what every scan leaves in the catalog: 32 x 32 gray levels, and how blurred the view is. A limit is held
against the other pictures, too, so that a night sky among night skies is not dark: `benchmarks/poor_pictures.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from ursa.clean.set_or_pictures import set_or_pictures
from ursa.core.finding import Finding
from ursa.data.catalog import Catalog
from ursa.data.scan import THUMBNAIL
from ursa.embed.store import Embeddings

F64 = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

BLANK = 3.0  # standard deviation of the 1,024 levels; of 3,100 photos the least is 7.7
DARK = 100  # level that 99 % of the levels lie below; an exposure of an eighth leaves white at 99
CLIPPED = 250  # level from which on a part is pure white
OVEREXPOSED = 0.25  # share of the middle that is pure white
CUT_OUT = 0.8  # share of the border that is pure white: a background that is meant to be so
DETAIL = 0.6  # mean difference of a level from those beside it; of photos the least is 1.0
BLURRED = 3.0  # see `data/blur.py`; of photos the largest is 2.9, of those blurred by 0.6 % of a side the least is 3.2
SPREADS = 3.0  # standard deviations from the middle of the set, as far as its inner half tells
QUARTILE = 0.6745  # of a normal distribution, in standard deviations
BLOCK = 4096  # pictures at a time

ADVICE = "Look at it: `ursa review` shows it, `ursa decide FOLDER PICTURE --delete` leaves it out, --keep keeps it."


def poor_pictures(catalog: Catalog, _embeddings: Embeddings | None = None) -> list[Finding]:
    """blank, dark, overexposed, low-information, blurred: a finding a picture, each under its first kind.

    More than a few per cent of the pictures are one finding (see `set_or_pictures`); where most are so, there is none.
    """
    rows = catalog.readable().rows.filter(pl.col("thumbnail").is_not_null()).select("id", "thumbnail", "blur")
    if not len(rows):
        return []
    facts = levels_facts(rows["thumbnail"])
    blurs = rows["blur"].fill_null(0.0).to_numpy()
    judged = _Judged(rows["id"].to_list())
    blurred = max(BLURRED, usual_end(blurs, 1))
    spread, brightest, clipped, detail = (facts[name] for name in ("spread", "brightest", "clipped", "detail"))
    return [
        *judged.found("blank", spread < BLANK, spread, "It is of one color.", 0.6),
        *judged.found(
            "dark",
            brightest < min(DARK, usual_end(brightest, -1)),
            brightest,
            f"Even its brightest parts are dark: level {DARK:.0f} of 255 at most{_usually(brightest, '.0f')}.",
            0.4,
        ),
        *judged.found(
            "overexposed",
            clipped >= max(OVEREXPOSED, usual_end(clipped, 1)),
            -clipped,
            f"A quarter or more of its middle is pure white{_usually(100 * clipped, '.0f', ' %')}.",
            0.4,
        ),
        *judged.found(
            "low-information",
            detail < min(DETAIL, np.exp(usual_end(np.log(detail + 1e-3), -1))),
            detail,
            f"It shows hardly anything: neighboring parts differ by less than {DETAIL:g} levels of 255"
            f"{_usually(detail, '.0f')}.",
            0.5,
        ),
        *judged.found(
            "blurred",
            blurs >= blurred,
            -blurs,
            f"Nothing in it is sharp: over 4 pixels levels change {blurred:.1f} times as much as over one, or more"
            f"{_usually(blurs, '.1f')}.",
            0.4,
        ),
    ]


def levels_facts(thumbnails: pl.Series) -> Mapping[str, F64]:
    """thumbnails [N] -> spread, brightest, clipped (a share of the middle; 0 of a cut-out), detail: [N] each."""
    found: dict[str, list[F64]] = {"spread": [], "brightest": [], "clipped": [], "detail": []}
    rim, border = THUMBNAIL // 4, np.ones((THUMBNAIL, THUMBNAIL), bool)
    border[1:-1, 1:-1] = False
    for first in range(0, len(thumbnails), BLOCK):
        data = b"".join(thumbnails[first : first + BLOCK])
        levels = np.frombuffer(data, np.uint8).reshape(-1, THUMBNAIL, THUMBNAIL).astype(np.float32)
        flat, middle = levels.reshape(len(levels), -1), levels[:, rim:-rim, rim:-rim]
        beside = levels[:, :-2, 1:-1] + levels[:, 2:, 1:-1] + levels[:, 1:-1, :-2] + levels[:, 1:-1, 2:]
        found["spread"].append(flat.std(1).astype(np.float64))
        found["brightest"].append(np.quantile(flat, 0.99, axis=1).astype(np.float64))
        cut_out = (levels[:, border] >= CLIPPED).mean(1) >= CUT_OUT
        found["clipped"].append((middle >= CLIPPED).mean((1, 2)) * ~cut_out)
        found["detail"].append(np.abs(levels[:, 1:-1, 1:-1] - beside / 4).mean((1, 2)).astype(np.float64))
    return {name: np.concatenate(some) for name, some in found.items()}


def usual_end(values: F64, side: int, spreads: float = SPREADS) -> float:
    """values [N] -> where the usual ones end below (side -1) or above (1).

    So many standard deviations from the median, as told by the quartile on that side: up to a quarter of the set may be
    otherwise without moving it.
    """
    middle, quarter = np.quantile(values, (0.5, 0.5 + 0.25 * side))
    return float(middle + spreads * (quarter - middle) / QUARTILE)


@dataclass(frozen=True)
class _Judged:
    """The pictures, and which of them have been named."""

    ids: list[str]
    named: set[int] = field(default_factory=set)

    def found(self, kind: str, which: Mask, order: F64, sentence: str, score: float) -> list[Finding]:
        """which [N], order [N], the least the most pressing -> findings of those not named before."""
        rows = [row for row in np.flatnonzero(which)[np.argsort(order[which], kind="stable")] if row not in self.named]
        if 2 * len(rows) > len(self.ids):  # that is what these data are
            return []
        self.named.update(rows)
        ids = [self.ids[row] for row in rows]
        numbers = [{"value": round(abs(float(order[row])), 3)} for row in rows]
        return set_or_pictures(
            kind, ids, [sentence] * len(ids), [score] * len(ids), ADVICE, numbers, total=len(self.ids)
        )


def _usually(values: F64, form: str, unit: str = "") -> str:
    return f"; in most pictures here {np.median(values):{form}}{unit}"
