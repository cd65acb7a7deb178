"""Decoded pictures -> random views, a batch at a time: `views` puts together what the others draw.

A picture's numbers depend on (seed, epoch, row) alone (`random_numbers`); geometry is one homography (`geometry`),
color one affine map (`color_jitter`), then `trivial_augment` and `patches`; `mixing` joins pictures of a batch.
"""

from ursa.renamed import was_module

__getattr__ = was_module(__name__)
