"""Arrays out of a network -> figures: where it looks, its filters, what its layers respond to."""
