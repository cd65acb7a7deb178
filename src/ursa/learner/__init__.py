"""`ursa.Learner`: any data and any network, by plain calls to what lies below (`training`, `models`)."""
