"""`make fuzz-http`: bytes, headers, JSON, forms and OAuth at one gateway process with small services behind it."""
