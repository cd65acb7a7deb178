"""`ursa predict`: pictures and folders of any size -> what a bundle says of them, in files that a kill leaves whole.

`predict.py` goes through it: what is to be predicted (`listing`), the answers as they come (`answered_files`), kept so
that the same command goes on (`prediction_journal`), and at the end tables (`prediction_files`) and folders by class
(`sorted_pictures`). No torch.
"""
