"""The whole suite as real processes, through its public HTTP face."""
