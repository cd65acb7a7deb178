"""What `ursa review`, `decide`, `apply` and `revert` do: pictures -> journal -> corrected labels, and what changed."""
