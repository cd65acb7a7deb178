"""Out-of-sample probabilities and given labels -> which labels may be wrong, how many, and whom to ask. Arrays only.

`label_margins` ranks, `suspected` cuts before anybody has answered, `label_answers` after; `label_audit` is the check.
"""
