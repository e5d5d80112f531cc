"""Values and rules of notifications. No I/O."""
