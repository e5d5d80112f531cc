"""verify: compares the source with what 1.1 has."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path
from typing import Final

from migrate.moving.run import Order
from migrate.moving.seen_ids import SeenIds
from migrate.moving.target import open_target
from migrate.moving.verification import Difference
from migrate.moving.verification import verify as compare
from migrate.verbs.verb import DONE, NEEDS_A_PERSON, Verb, opened_order, print_json


def verify(given: argparse.Namespace) -> int:
    """Compare the source with what 1.1 has."""
    with opened_order(given) as order, tempfile.TemporaryDirectory() as folder:
        differences = asyncio.run(_verify(order, Path(folder), given.report))
    if given.json:
        print_json([{"what": each.what, "source": each.source, "target": each.target} for each in differences])
    else:
        for each in differences:
            print(f"{each.what}: source {each.source}, target {each.target}")
        print("the same" if not differences else f"{len(differences)} differences")
    return NEEDS_A_PERSON if differences else DONE


async def _verify(order: Order, folder: Path, report: Path | None) -> list[Difference]:
    async with open_target(order.source_id) as target:
        with SeenIds(folder / "seen.db") as seen:
            return await compare(order, target, seen, report)


VERB: Final = Verb("verify", "compare the source with what 1.1 has, day by day", verify)
