"""Model -> bundle."""
