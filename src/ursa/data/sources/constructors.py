"""`Catalog.from_folder`, `.from_table`, `.from_arrays`, `.from_dataset`: each source as a constructor of the catalog.

A source builds a catalog, so the catalog cannot import it. Each is imported when it is first called.
"""

from pathlib import Path
from typing import Any

from ursa.data.catalog import Catalog as Catalog


def from_folder(folder: str | Path, **options: Any) -> Catalog:
    """The pictures of a folder: see `ursa.data.sources.folder_source.from_folder`."""
    from ursa.data.sources import folder_source

    return folder_source.from_folder(folder, **options)


def from_table(table: Any, **options: Any) -> Catalog:
    """The pictures that a table names: see `ursa.data.sources.tables.from_table`."""
    from ursa.data.sources import tables

    return tables.from_table(table, **options)


def from_arrays(train: Any, valid: Any = None, **options: Any) -> Catalog:
    """Pictures in memory, written to a folder: see `ursa.data.sources.arrays.from_arrays`."""
    from ursa.data.sources import arrays

    return arrays.from_arrays(train, valid, **options)


def from_dataset(dataset: Any, **options: Any) -> Catalog:
    """The items of a torch or Hugging Face data set, written to a folder: see `ursa.data.sources.datasets`."""
    from ursa.data.sources import datasets

    return datasets.from_dataset(dataset, **options)


for _constructor in (from_folder, from_table, from_arrays, from_dataset):
    setattr(Catalog, _constructor.__name__, staticmethod(_constructor))
