"""Folder, table, arrays, data set -> rows of a catalog: names and labels, no picture is decoded here.

`folder_source` walks folders, `tables` reads CSV, Parquet and frames, `arrays` and `datasets` write what is in memory.
"""

from ursa.renamed import was_module

__getattr__ = was_module(__name__)
