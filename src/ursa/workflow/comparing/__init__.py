"""Runs and bundles -> which of two is better, on pictures that neither learned from; the table of all runs."""
