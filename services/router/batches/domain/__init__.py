"""Files, batches and lines as values; no I/O."""
