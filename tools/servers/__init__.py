"""Real PostgreSQL and Redis servers on a machine that has neither, for `make up` and the tests."""
