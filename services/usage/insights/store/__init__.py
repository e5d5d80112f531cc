"""SQL of insights: what patterns are looked for in, and the tables of what was found."""
