"""Learning by gradient descent: torch lives here."""
