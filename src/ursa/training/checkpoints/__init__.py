"""A run's state <-> a folder: `checkpoint` (one of them), `checkpoint_folder` (when, and which are kept).

Files are safetensors (`tensor_file`), written whole or not at all; nothing is unpickled.
"""

from ursa.renamed import was_module

__getattr__ = was_module(__name__)
