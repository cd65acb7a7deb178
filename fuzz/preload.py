"""Imported by the server from which children fork: decoders are there and seeds made, so a child begins in no time."""

import fuzz.targets
from fuzz.targets import pictures

pictures.warm()
TARGETS = fuzz.targets.TARGETS
