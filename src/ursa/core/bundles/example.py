"""Pictures that a bundle brings along, for a visitor who has none at hand: small JPEGs, put in by its maker."""

from dataclasses import dataclass

MOST_EXAMPLES = 12
EXAMPLE_BYTES = 1 << 20  # of one; those that Ursa writes have about 30 KB
JPEG = b"\xff\xd8\xff"  # how such a file begins


@dataclass(frozen=True)
class Example:
    """One of them."""

    label: str  # what it shows, as its maker says; "" where they do not
    jpeg: bytes  # never decoded by Ursa: it goes to the visitor's browser as it is


def example_name(number: int) -> str:
    """Of the part that holds it."""
    return f"example-{number}.jpg"


def require_examples(listed: object) -> None:
    """Raises ValueError for anything but [{"part": "example-0.jpg", "label": text}, ...], in order."""
    if not isinstance(listed, list) or len(listed) > MOST_EXAMPLES:
        raise ValueError(f"examples is no list of up to {MOST_EXAMPLES}")
    for number, one in enumerate(listed):
        named = isinstance(one, dict) and one.get("part") == example_name(number)
        if not named or not isinstance(one.get("label"), str) or len(one["label"]) > 1000:
            raise ValueError(f"examples[{number}] has no part {example_name(number)} or no label")
