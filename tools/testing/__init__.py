"""Real servers for tests: finds or starts PostgreSQL and Redis, makes throwaway databases. `plugin` has the fixtures.

Never imported by a program; the clock that tests set by hand is `servicekit.testing`.
"""
