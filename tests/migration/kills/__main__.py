"""`make migrate-kills`: SIGKILLs of tool and PostgreSQL while a source moves; in the end nothing is lost or doubled."""

from __future__ import annotations

import argparse
import random
import sys
import time

from tests.migration.kills.campaign import Campaign
from tests.migration.kills.server import killable_server
from tests.migration.kills.source import make_large
from tools.testing.throwaway import session_folder


def main() -> int:
    """Kill; return 0 when every row of every move is accounted for."""
    parser = argparse.ArgumentParser(prog="make migrate-kills", description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--rows", type=int, default=8_000, help="usage rows of the source")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 2**32)
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    with session_folder() as folder, killable_server(folder) as server:
        rng = random.Random(given.seed)
        work = folder / "moves"
        work.mkdir()
        campaign = Campaign(make_large(work / "old.db", given.rows, rng), work, server, rng)
        campaign.run(given.kills)
    print(f"{campaign.figures.kills.total()} kills, {len(campaign.figures.problems)} problems")
    return 1 if campaign.figures.problems else 0


if __name__ == "__main__":
    sys.exit(main())
