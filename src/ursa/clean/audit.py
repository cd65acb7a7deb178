"""Run the checks. A check is a function Catalog, Embeddings -> findings; yours is one more in the tuple."""

from collections.abc import Callable, Iterable, Sequence

from ursa.clean.broken import broken
from ursa.clean.classes import small_classes
from ursa.clean.duplicates import duplicates
from ursa.core.finding import Finding
from ursa.data.catalog import Catalog
from ursa.embed.store import Embeddings

Check = Callable[[Catalog, Embeddings], Iterable[Finding]]

CHECKS: tuple[Check, ...] = (broken, duplicates, small_classes)


def audit(catalog: Catalog, embeddings: Embeddings, checks: Sequence[Check] = CHECKS) -> list[Finding]:
    """A scanned catalog and its embeddings -> the findings of all checks, in the order of the checks."""
    return [finding for check in checks for finding in check(catalog, embeddings)]
