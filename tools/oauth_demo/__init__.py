"""`make oauth-demo`: the whole OAuth flow against the running suite, step by step in a terminal."""
