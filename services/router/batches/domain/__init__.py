"""What files, batches and their lines are; no I/O."""
