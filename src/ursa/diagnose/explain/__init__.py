"""A network and pictures -> where it looks, whether that map can be believed, what its layers respond to.

The one shelf of diagnosis that knows torch: everything else there reads arrays.
"""
