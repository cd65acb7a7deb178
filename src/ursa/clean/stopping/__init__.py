"""What a person said of some pictures -> what to show next, how many wrong labels are left, and whether to stop.

Arrays and answers only: a review asks after every answer. `review_answers` reads them from the journal.
"""
