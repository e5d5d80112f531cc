"""SQL of files, batches and lines: rows to values and back. It decides nothing."""
