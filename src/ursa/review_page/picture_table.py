"""Scanned catalog -> what the page asks of pictures, by row: in lists, which answer faster than a table of columns."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ursa.clean.decisions.corrections import text_of
from ursa.core import files, picture_file
from ursa.data.catalog import Catalog
from ursa.errors import DataError

COLUMNS = ("id", "path", "label", "split", "bytes", "sha256", "width", "height", "problem")


@dataclass
class PictureTable:
    """A row a picture, in the catalog's order. Hashes of files that no scan has read are filled in when asked for."""

    root: Path
    columns: dict[str, list[Any]]  # by COLUMNS
    task: str
    classes: tuple[str, ...]
    row_of: dict[str, int]  # by id
    rows_of: dict[str, list[int]]  # by hash

    @classmethod
    def of(cls, catalog: Catalog) -> "PictureTable":
        """Of all its pictures, those that cannot be read too."""
        columns = {name: catalog.rows[name].to_list() for name in COLUMNS}
        row_of = {id: row for row, id in enumerate(columns["id"])}
        by_hash: dict[str, list[int]] = {}
        for row, key in enumerate(columns["sha256"]):
            if key is not None:
                by_hash.setdefault(key, []).append(row)
        return cls(catalog.root, columns, catalog.task, catalog.labels.names, row_of, by_hash)

    def __len__(self) -> int:
        return len(self.columns["id"])

    def known(self, ids: tuple[str, ...] | list[str]) -> tuple[int, ...]:
        """The rows of those ids that the catalog has."""
        return tuple(row for id in ids if (row := self.row_of.get(id)) is not None)

    def id(self, row: int) -> str:
        """Of a picture."""
        return str(self.columns["id"][row])

    def sha256(self, row: int) -> str | None:
        """As far as it is known."""
        key = self.columns["sha256"][row]
        return None if key is None else str(key)

    def label(self, row: int) -> str | None:
        """As text; None where it has none."""
        return text_of(self.columns["label"][row])

    def split(self, row: int) -> str:
        """ "" where it has none."""
        return self.columns["split"][row] or ""

    def file(self, row: int) -> Path:
        """Where it lies."""
        return self.root / str(self.columns["path"][row])

    def file_of(self, sha256: str) -> Path:
        """A file with these bytes, as far as the scan knows."""
        return self.file(self.rows_of[sha256][0])

    def hashed(self, row: int) -> str | None:
        """The hash of its bytes; read here, with those of files of the same size, where no scan has read it."""
        keys, sizes = self.columns["sha256"], self.columns["bytes"]
        if keys[row] is None:
            for other, size in enumerate(sizes):
                if keys[other] is None and size == sizes[row]:
                    self._hash(other)
        return self.sha256(row)

    def _hash(self, row: int) -> None:
        try:
            digest = hashlib.sha256(files.read_bytes(self.file(row), picture_file.MAX_BYTES)).hexdigest()
        except (OSError, DataError, ValueError):  # gone, or it may not be read: it has none
            return
        self.columns["sha256"][row] = digest
        self.rows_of.setdefault(digest, []).append(row)
