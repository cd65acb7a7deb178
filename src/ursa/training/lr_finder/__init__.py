"""A learning rate for this network and these batches: `range_test` runs it, `suggestion` reads the curve.

Everything is tried on copies (`restored`): the network stays as it was, bit for bit.
"""

from ursa.renamed import was_module

__getattr__ = was_module(__name__)
