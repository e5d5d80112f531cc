"""`make bench-pages`: start a suite with ninety days of the demo user and a very big user, and ask every page."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bench.pages.measuring import HEAD, Measured, measure
from bench.pages.visits import PUBLIC, Person, log_in, pages_of_member, seed, visitor
from bench.usage.dataset import build
from tools.demo_data.__main__ import write
from tools.stack.environments import DATABASE
from tools.stack.throwaway import Suite, running_suite

DEMO_MS: Final = 100
BIGGEST_MS: Final = 200
# One address asks for all pages.
ENVIRONMENT: Final = {"GATEWAY_OAUTH_REQUESTS_PER_MINUTE": "0"}


def _fill(suite: Suite, rows: int) -> Person:
    """Write the demo user's story and so many rows of 2,000 users; return the biggest of them."""
    parts = suite.stack
    person, user_id = seed(parts.auth, "biggest", BIGGEST_MS)
    begin = time.perf_counter()
    # In bulk first: that makes every sum anew. The story goes the way of all requests, which adds to them.
    asyncio.run(build(parts.admin_dsn(DATABASE), rows, datetime.now(UTC), biggest=user_id))
    story = asyncio.run(write(parts.home))
    taken_s = time.perf_counter() - begin
    print(f"{story:,} requests of the demo user, {rows:,} of 2,000 others, written in {taken_s:.0f} s.\n\n{HEAD}")
    return person


def _visits(suite: Suite, biggest: Person, rounds: int) -> Iterator[Measured]:
    url, demo = suite.demo.url, suite.demo
    with visitor(url) as client:
        for path in PUBLIC:
            yield measure(client, path, "anybody", DEMO_MS, rounds)
    for person in (Person("demo", demo.demo_email, demo.demo_password, DEMO_MS), biggest):
        with visitor(url) as client:
            log_in(client, person)
            for path in pages_of_member():
                yield measure(client, path, person.whose, person.limit_ms, rounds)


def main() -> int:
    """Run it; return the exit status: 1 when a page is over a limit."""
    parser = argparse.ArgumentParser(prog="make bench-pages", description=__doc__)
    parser.add_argument(
        "--rows", type=int, default=200_000, help="requests of 2,000 users, the first has 15 %% of them"
    )
    parser.add_argument("--rounds", type=int, default=20, help="times each page is asked for")
    options = parser.parse_args()
    over = 0
    with tempfile.TemporaryDirectory() as folder, running_suite(Path(folder), ENVIRONMENT) as suite:
        for measured in _visits(suite, _fill(suite, options.rows), options.rounds):
            print(measured.row(), flush=True)
            over += not measured.is_within
    print(f"\n{over} over their limits." if over else "\nEvery page is within its limits.")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
