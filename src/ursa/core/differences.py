"""Two shares -> their difference with a 95 % interval, of other examples or of the same ones; how many would tell."""

import math

from ursa.core.statistics import Z95, Estimate, proportion

Z80 = 0.8416212335729143  # the normal quantile that a power of 80 % needs
MOST = 1_000_000  # examples: more are not named as enough


def independent_difference(hits: float, total: int, other_hits: float, other_total: int, method: str) -> Estimate:
    """Share of `hits` less that of `other_hits`, of different examples: Newcombe's hybrid of two Wilson intervals.

    Newcombe 1998, "Interval estimation for the difference between independent proportions", method 10. NaN where one of
    them has no examples.
    """
    one, other = proportion(hits, total, ""), proportion(other_hits, other_total, "")
    return _hybrid(one, other, 0.0, f"{method}; Newcombe's 95 % interval")


def paired_difference(both: int, first: int, second: int, neither: int, method: str) -> Estimate:
    """Share right of the first less that of the second, on the same examples: how many both have right, the first
    alone, the second alone, neither.

    Newcombe 1998, "Improved confidence intervals for the difference between binomial proportions based on paired data",
    method 10: as for independent ones, less what the correlation of both takes off.
    """
    total = both + first + second + neither
    one, other = proportion(both + first, total, ""), proportion(both + second, total, "")
    margins = (both + first) * (second + neither) * (both + second) * (first + neither)
    product = both * neither - first * second
    lessened = max(product - total / 2, 0.0) if product > 0 else float(product)  # his correction for continuity
    correlation = lessened / math.sqrt(margins) if margins else 0.0
    return _hybrid(one, other, correlation, f"{method}; Newcombe's paired 95 % interval")


def enough_examples(difference: float, differing: float) -> int | None:
    """Examples on which McNemar's exact test at 5 % sees a difference of two shares in 80 of 100 cases.

    difference: of both shares; differing: share of examples that one has right and the other wrong. Rounded up to two
    digits; None where there is no difference to see, and for more than MOST.
    """
    gap = abs(difference)
    count = math.inf if gap == 0 else _needed(gap, max(differing, gap))
    if count > MOST:
        return None
    digits: int = 10 ** max(0, len(str(int(count))) - 2)
    return max(6, math.ceil(count / digits) * digits)  # of fewer than six, all one way, none is beyond chance


def visible_difference(count: int, differing: float) -> float:
    """The smallest difference of two shares that McNemar's test sees on so many examples in 80 of 100 cases."""
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if _needed(middle, max(differing, middle)) <= count else (middle, high)
    return high


def _needed(gap: float, apart: float) -> float:
    """Connor 1987, for a power of 80 %, and 1 / gap more, which the exact test takes (benchmarks/compare.py)."""
    return ((Z95 * math.sqrt(apart) + Z80 * math.sqrt(max(apart - gap * gap, 0.0))) / gap) ** 2 + 1 / gap


def _hybrid(one: Estimate, other: Estimate, correlation: float, method: str) -> Estimate:
    """Newcombe's interval from two Wilson intervals and how far both go together."""
    if math.isnan(one.value) or math.isnan(other.value):
        return Estimate(math.nan, -1.0, 1.0, f"{method}; nothing to compare", share=True)
    value = one.value - other.value
    below, above = (
        _length(one.value - one.low, other.high - other.value, correlation),
        _length(one.high - one.value, other.value - other.low, correlation),
    )
    return Estimate(value, max(-1.0, value - below), min(1.0, value + above), method, share=True)


def _length(one: float, other: float, correlation: float) -> float:
    return math.sqrt(max(0.0, one * one - 2 * correlation * one * other + other * other))
