"""What a training run is made of: the plan for its minutes, fine-tuning, the judgement of held-out pictures, export.

`workflow/train.py` goes through them in order.
"""
