"""Embeddings and labels -> a learning curve, where it leads, and whether more pictures would help."""
