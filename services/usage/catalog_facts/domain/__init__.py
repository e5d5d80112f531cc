"""Facts about models, and costs computed from them. No I/O."""
