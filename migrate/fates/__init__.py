"""What becomes of each row: moved as it is, moved repaired, or quarantined. No I/O, and no reading of values."""
