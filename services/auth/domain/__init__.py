"""Values, rules and decisions of auth: pure functions that take `now`, no I/O."""
