"""What a report is ordered as, made of and kept as. No I/O."""
