"""What a cap may be. No I/O."""
