"""Out-of-sample probabilities and given labels -> which labels may be wrong, how many, and whom to ask. Arrays only.

`margins` ranks, `suspected` cuts before anybody has answered, `answered` after some answers; `findings` is the check.
"""
