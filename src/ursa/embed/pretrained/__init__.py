"""A name -> a pretrained network without its head: those that are known by measurement, their relatives, any other.

`bodies` builds and fills them, `known_backbones` is the table, `relatives` are smaller and larger ones of a family.
"""
