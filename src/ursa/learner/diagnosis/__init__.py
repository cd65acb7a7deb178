"""A learner's fits -> the verdict on them, and where it is asked for the run that confirms it."""
