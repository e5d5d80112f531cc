"""Usage: stores what was spent, by whom and on what, and answers questions about it. Owns schema `usage`."""
