"""One module per vendor's dialect, and the plumbing they share."""
