"""Run the checks. A check is a function Catalog, Embeddings -> findings; yours is one more in the tuple."""

from collections.abc import Callable, Iterable, Sequence

from ursa.clean.broken import broken
from ursa.clean.classes import imbalance, missing_classes, similar_classes, small_classes
from ursa.clean.copies import copies
from ursa.clean.outliers import outliers
from ursa.clean.poor_pictures import poor_pictures
from ursa.clean.quality import quality
from ursa.core.finding import Finding
from ursa.data.catalog import Catalog
from ursa.embed.store import Embeddings

Check = Callable[[Catalog, Embeddings], Iterable[Finding]]

CHECKS: tuple[Check, ...] = (
    broken,
    copies,
    quality,
    poor_pictures,
    outliers,
    similar_classes,
    missing_classes,
    small_classes,
    imbalance,
)


def audit(catalog: Catalog, embeddings: Embeddings, checks: Sequence[Check] = CHECKS) -> list[Finding]:
    """A scanned catalog and its embeddings -> the findings of all checks, in the order of the checks."""
    return [finding for check in checks for finding in check(catalog, embeddings)]
