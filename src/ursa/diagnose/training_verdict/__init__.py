"""A training's history -> one finding: what is wrong with it, on what evidence, and what to do next. Never torch."""
