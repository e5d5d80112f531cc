"""Orders, contents and states of reports as values. No I/O."""
