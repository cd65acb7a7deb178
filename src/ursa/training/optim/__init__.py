"""How weights change: optimizers and their parameter groups, schedules, averages, gradients on all cores.

All of them are values or functions that `ursa.training.loop.train` takes.
"""
