"""Batches and a network -> a trained network: `loop` (the steps), `fit` (what reads them), `fine_tuning`.

On its shelves: `batches` (data -> batches), `augment` (pictures -> random views), `tasks` (targets, losses, metrics),
`optim` (optimizers, schedules), `checkpoints` (a run <-> a folder) and `lr_finder`.
"""
