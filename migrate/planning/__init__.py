"""`plan`: the whole move into a database of its own, which is dropped; of 1.1's own schemas it only reads."""
