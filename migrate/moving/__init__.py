"""`run` and `undo`: rows of the source into the schemas of auth and usage, by their own entrances and roles."""
