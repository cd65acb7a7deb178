"""Embeddings of pictures without labels -> rows of alike ones, what to label next, what accuracy to expect. Arrays."""
