"""`make audit`: dependencies, code, secrets and the bill of materials. Owns what was reviewed; never mends anything."""
