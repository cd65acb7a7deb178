"""Mutators that know a format: what they make is parsed further than bytes changed at random would be."""
