"""What notifications are made of and decided by. No I/O."""
