"""Catalog -> embeddings: each picture is decoded once and goes through the backbone once (`one_pass`, `engine`).

The store keeps what was computed under the hash of the bytes; probes learn from it in milliseconds.
"""
