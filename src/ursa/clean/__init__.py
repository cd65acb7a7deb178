"""Findings from a scanned catalog and its embeddings. No torch."""
