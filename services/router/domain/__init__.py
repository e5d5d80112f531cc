"""Values and decisions of the router: pure functions of their arguments."""
