"""Random input for the suite's doors. Owns how it is made and what counts as a failure; never fixes what it finds."""
