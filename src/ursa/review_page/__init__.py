"""The review page: what a check found and what people decided, in the browser of this machine. Never torch.

kept findings, catalog -> items -> page; a key pressed there -> decision -> journal -> page: saved.
"""
