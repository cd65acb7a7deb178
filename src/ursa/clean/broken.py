"""Files that cannot be used, each with its reason. catalog -> findings. Reads, never writes."""

import polars as pl

from ursa.core.finding import Finding
from ursa.data.catalog import Catalog
from ursa.embed.store import Embeddings

# The first words of a reason (`core/image.py`, `data/scan.py`): the kind of the finding, and what to do.
REASONS = {
    "missing": ("missing-file", "Put the file back, or take its row out of the table."),
    "cannot be opened": ("missing-file", "Check that the file is there and that you may read it."),
    "unreadable folder": (
        "unreadable-folder",
        "Check its permissions and its name; nothing in it is used.",
    ),
    "empty class": ("empty-class", "Put pictures into it, or delete it: a class without pictures cannot be learned."),
    "not a picture": ("not-a-picture", "Remove the file, or download the picture again: this is something else."),
    "needs a decoder": ("needs-decoder", "Save it as JPEG or PNG, or install the decoder where one is named."),
    "truncated": ("truncated", "Download the picture again; this copy is incomplete."),
    "too large": ("too-large", "Make it smaller with a picture editor, or remove it."),
    "crashes its decoder": ("crashes-its-decoder", "Remove the file: it may harm other programs that open it."),
    "takes too long": ("takes-too-long", "Save it again with a picture editor, or remove it."),
    "unreadable": ("unreadable", "Download the picture again, or remove the file."),
}
OTHER = ("broken-file", "Download the picture again, or remove the file.")


def broken(catalog: Catalog, _embeddings: Embeddings | None = None) -> list[Finding]:
    """One finding a file that the scan could not read, of the kind that its reason names; they are left out."""
    rows = catalog.where(pl.col("problem").is_not_null()).rows.select("id", "problem")
    return [_finding(id, problem) for id, problem in rows.iter_rows()]


def _finding(id: str, problem: str) -> Finding:
    kind, advice = REASONS.get(problem.partition(":")[0], OTHER)
    return Finding(kind, (id,), 1.0, f"{problem[0].upper()}{problem[1:]}.", f"It is left out. {advice}")
