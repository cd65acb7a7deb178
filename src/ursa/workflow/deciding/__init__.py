"""`ursa decide`, `ursa apply`, `ursa revert`: pictures -> journal -> corrected labels, and what that changed."""
