"""`inspect`: what is in a database of 1.0, counted by what would become of it. Reads only; needs no PostgreSQL."""
