"""Features [N, D] and classes -> linear classifiers, each also fitted without each fold. What the probe is made of."""
