"""A network and an input -> which layer leads to which (`flow`), laid out (`layout`) and drawn (`drawing`)."""
