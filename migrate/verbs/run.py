"""run: moves what has not moved yet."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping
from typing import Any, Final

from migrate.moving.run import Order, move
from migrate.moving.target import open_target
from migrate.report.decisions import HISTORY
from migrate.report.files import ReportFiles
from migrate.report.text import table_lines
from migrate.verbs.merging import add_merge_users, decisions_of
from migrate.verbs.progress import Shown, marked, progress
from migrate.verbs.verb import DONE, NEEDS_A_PERSON, Verb, opened_order, print_json, rows_of_usage


def run(given: argparse.Namespace) -> int:
    """Move what has not moved yet."""
    with (
        opened_order(given, *decisions_of(given)) as order,
        ReportFiles(given.report) as report,
        progress(rows_of_usage(order), quiet=given.json) as shown,
    ):
        summary = asyncio.run(_run(order, report, marked(shown, given.log)))
    given.log.mark("moved", tables=summary["tables"])
    if given.json:
        print_json(summary)
    else:
        print(*table_lines(summary["tables"]), f"report: {given.report}", sep="\n")
    return NEEDS_A_PERSON if waits_for_a_person(summary) else DONE


def waits_for_a_person(summary: Mapping[str, Any]) -> bool:
    """Tell whether rows did not move, or could not be read."""
    waits = any(counts["quarantined"] for name, counts in summary["tables"].items() if name != HISTORY)
    return waits or any(summary["unreadable"].values())


async def _run(order: Order, report: ReportFiles, shown: Shown) -> dict[str, Any]:
    async with open_target(order.source_id) as target:
        return await move(order, target, report, shown)


VERB: Final = Verb(
    "run",
    "move what has not moved yet; after a crash it goes on where it stood",
    run,
    add_merge_users,
    needs_report=True,
)
