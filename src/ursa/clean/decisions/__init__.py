"""What people decided about pictures: a journal in the workspace, what of it stands, and what follows from it.

picture, decision -> journal -> standing decisions -> corrected catalog, and files moved where that was asked for.
"""
