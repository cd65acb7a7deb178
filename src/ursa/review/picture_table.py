"""Scanned catalog -> what the page asks of pictures, by row: in lists, which answer faster than a table of columns."""

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ursa.clean.decisions.corrections import text_of
from ursa.core import files, picture_file
from ursa.data.catalog import Catalog
from ursa.errors import DataError

_ASKED = ("id", "path", "label", "split", "bytes", "sha256", "format", "width", "height", "problem")


@dataclass
class PictureTable:
    """A row a picture, in the catalog's order. Hashes of files that no scan has read are filled in when asked for."""

    root: Path
    rows: list[dict[str, Any]]  # of _ASKED
    task: str
    classes: tuple[str, ...]
    row_of: dict[str, int] = field(default_factory=dict)  # by id
    rows_of: dict[str, list[int]] = field(default_factory=dict)  # by hash

    @classmethod
    def of(cls, catalog: Catalog) -> "PictureTable":
        """Of all its pictures, those that cannot be read too."""
        rows = catalog.rows.select(_ASKED).to_dicts()
        table = cls(catalog.root, rows, catalog.task, catalog.labels.names)
        table.row_of = {row["id"]: number for number, row in enumerate(rows)}
        by_hash: defaultdict[str, list[int]] = defaultdict(list)
        for number, row in enumerate(rows):
            if row["sha256"] is not None:
                by_hash[row["sha256"]].append(number)
        table.rows_of = dict(by_hash)
        return table

    def __len__(self) -> int:
        return len(self.rows)

    def known(self, ids: tuple[str, ...] | list[str]) -> tuple[int, ...]:
        """The rows of those ids that the catalog has."""
        return tuple(self.row_of[id] for id in ids if id in self.row_of)

    def label(self, row: int) -> str | None:
        """As text; None where it has none."""
        return text_of(self.rows[row]["label"])

    def file(self, row: int) -> Path:
        """Where it lies."""
        return self.root / str(self.rows[row]["path"])

    def hashed(self, row: int) -> str | None:
        """The hash of its bytes; read here, with those of files of the same size, where no scan has read it."""
        if self.rows[row]["sha256"] is None:
            size = self.rows[row]["bytes"]
            for number, other in enumerate(self.rows):
                if other["sha256"] is None and other["bytes"] == size:
                    self._hash(number)
        known = self.rows[row]["sha256"]
        return None if known is None else str(known)

    def _hash(self, row: int) -> None:
        try:
            digest = hashlib.sha256(files.read_bytes(self.file(row), picture_file.MAX_BYTES)).hexdigest()
        except (OSError, DataError, ValueError):  # gone, or it may not be read: it has none
            return
        self.rows[row]["sha256"] = digest
        self.rows_of.setdefault(digest, []).append(row)
