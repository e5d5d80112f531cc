"""What the export of a person's data has of the router: their files and batches, whoever of theirs made them."""
