"""A browser without scripts, for the demo and for tests: cookies, redirects within the gateway, forms."""
