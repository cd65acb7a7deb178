"""What a learner is given -> batches to learn from, and batches in order.

`learner_data` divides it into a training and a validation split (`splits`); each kind of source has its batches; every
order is a function of (seed, epoch).
"""

from ursa.renamed import was_module

__getattr__ = was_module(__name__)
