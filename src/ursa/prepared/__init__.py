"""Data and setup -> `Prepared`: scanned, embedded, divided and probed. What every command and `Learner` begin with.

`setup` lists, scans and embeds; `splitting` divides and fits the probe.
"""
