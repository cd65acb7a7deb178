"""A network that has learned, and pictures -> where it looks and what its layers respond to, as values and figures."""
