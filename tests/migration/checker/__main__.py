"""`python -m tests.migration.checker`: judge a finished move.

Exit status: 0 nothing is wrong, 1 something is; a line each.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import psycopg

from tests.migration.checker.check import check


def main() -> int:
    """Judge a move; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.migration.checker", description=__doc__)
    parser.add_argument("--source", type=Path, required=True, help="the file of release 1.0")
    parser.add_argument("--report", type=Path, required=True, help="the folder that the move left")
    parser.add_argument("--auth-dsn", required=True, help="of a role that may read schema auth")
    parser.add_argument("--usage-dsn", required=True, help="of a role that may read schema usage")
    given = parser.parse_args()
    with psycopg.connect(given.auth_dsn) as auth, psycopg.connect(given.usage_dsn) as usage:
        problems = check(given.source, given.report, auth, usage)
    sys.stdout.writelines(f"{problem}\n" for problem in problems)
    sys.stdout.write(f"{len(problems)} problems\n" if problems else "every row is accounted for\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
