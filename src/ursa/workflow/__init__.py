"""The commands, as functions: `check`, `backbones`, `train`, `evaluate`, `show`, `download`, `demo`.

Each returns one value. `minutes` and `speeds` plan a run that has to end in time.
"""
