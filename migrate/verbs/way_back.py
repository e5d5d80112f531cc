"""way-back: what 1.1 has and 1.0 has not, counted, named, and written as statements for 1.0."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Final

from migrate.following.way_back import STATEMENTS, WayBack, write_way_back
from migrate.moving.run import Order
from migrate.moving.target import open_target
from migrate.source.tables import read_layout
from migrate.verbs.verb import DONE, NEEDS_A_PERSON, Verb, opened_order, print_json


def way_back(given: argparse.Namespace) -> int:
    """Write the statements; the exit status is 1 when keys of 1.1 cannot go back, or nothing had been moved."""
    with opened_order(given, is_held=False) as order:
        found = asyncio.run(_written(order, given.report))
    if found is None:
        print("this source has not been moved: there is nothing to go back with", file=sys.stderr)
        return NEEDS_A_PERSON
    if given.json:
        print_json(found.as_json())
    else:
        _print(found, given.report)
    return NEEDS_A_PERSON if found.keys else DONE


async def _written(order: Order, folder: Path) -> WayBack | None:
    async with open_target(order.source_id) as target:
        return await write_way_back(read_layout(order.source.database), target, folder)


def _print(found: WayBack, folder: Path) -> None:
    print(f"born in 1.1 since {found.since:%Y-%m-%d %H:%M:%S} UTC, and not in 1.0:")
    print(f"  {found.requests:,} requests for {found.cost} roubles, {found.accounts} accounts")
    print(f"  {found.ended} keys of 1.0 were revoked in 1.1 and end in 1.0, too")
    print(f"  {len(found.keys)} keys of 1.1 cannot work in 1.0: {', '.join(found.keys) or 'none'}")
    print(f'stop 1.1, then: sqlite3 FILE ".read {folder / STATEMENTS}"')


VERB: Final = Verb(
    "way-back",
    "count what was born in 1.1, and write it as statements for the file of 1.0",
    way_back,
    needs_report=True,
)
