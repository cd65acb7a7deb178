"""The commands, as functions: `check`, `backbones`, `train`, `evaluate`, `show`, `download`, `demo`.

Each returns one value, of `results` where others need it too. `training_run` holds what a run is made of.
"""
