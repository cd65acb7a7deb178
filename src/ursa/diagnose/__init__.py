"""Numbers of a run -> what they mean, and the report page. Reads values, trains nothing."""
