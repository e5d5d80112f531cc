"""The router's part of a personal data export: files and batches, whichever of the user's credentials made them."""
