"""Usage records, their validation, batches and rollups: values and pure functions."""
