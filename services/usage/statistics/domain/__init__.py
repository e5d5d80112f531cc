"""Questions and answers of statistics as values. No I/O."""
