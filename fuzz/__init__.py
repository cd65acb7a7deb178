"""Mutants of files, tables, bundles and requests, put through Ursa in child processes: `make fuzz MINUTES=5`."""
