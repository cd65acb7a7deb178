"""Catalog and embeddings -> findings: what is wrong with the data. Reads, never writes.

`audit` runs the checks, each of them a function of catalog and embeddings.
"""
