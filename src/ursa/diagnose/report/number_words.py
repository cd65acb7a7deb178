"""Numbers -> as people write them: "95 %, between 93 and 97", never more digits than the interval is good for."""

import math

from ursa.core.statistics import Estimate

NO_BREAK = "\u00a0"  # a space at which no line ends
NARROW = 0.02  # an interval narrower than this leaves a digit behind the point to be told


def percent(share: float, digits: int = 0) -> str:
    """0.954 -> "95 %". What is not all is never written as 100 %, and what is not nothing never as 0 %."""
    if math.isnan(share):
        return "unknown"
    return f"{_number(share, digits)}{NO_BREAK}%"


def between(metric: Estimate) -> str:
    """ "between 93 and 97 %"."""
    digits = _digits(metric)
    return f"between {_number(metric.low, digits)} and {_number(metric.high, digits)}{NO_BREAK}%"


def estimate(metric: Estimate) -> str:
    """ "95 %, between 93 and 97"."""
    return f"{value(metric)}, {between(metric).removesuffix(f'{NO_BREAK}%')}"


def value(metric: Estimate) -> str:
    """Its number alone, with as many digits as its interval has."""
    return percent(metric.value, _digits(metric))


def points(gain: float) -> str:
    """0.012 -> "1.2 points"; 0.03 -> "3 points"."""
    number = 100 * gain
    words = f"{number:.1f}" if abs(number) < 2.95 else f"{number:.0f}"
    return f"{words.removesuffix('.0')} point{'' if words in ('1', '1.0') else 's'}"


def listed(words: list[str], last: str = "and") -> str:
    """ "a, b and c"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}" if words else ""


def _digits(metric: Estimate) -> int:
    return 1 if metric.high - metric.low < NARROW else 0


def _number(share: float, digits: int) -> str:
    words = f"{100 * share:.{digits}f}"
    if float(words) in (0, 100):
        if share in (0, 1):
            return words.partition(".")[0]
        inside = f"{100 * share:.1f}"
        return inside if float(inside) not in (0, 100) else "under 0.1" if share < 0.5 else "over 99.9"
    return words
