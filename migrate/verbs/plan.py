"""plan: the whole move into a database of its own, and what it would come to."""

from __future__ import annotations

import argparse
import asyncio
from typing import Any, Final

from migrate.moving.run import Order
from migrate.moving.target import open_target
from migrate.planning.scratch import scratch_target
from migrate.planning.text import cost_lines
from migrate.planning.trial import plan as try_out
from migrate.report.decisions import to_decide
from migrate.report.files import ReportFiles
from migrate.report.reading import read_report
from migrate.report.text import lines
from migrate.verbs.merging import add_merge_users, decisions_of
from migrate.verbs.progress import Shown, marked, progress
from migrate.verbs.verb import DONE, NEEDS_A_PERSON, Verb, opened_order, print_json, rows_of_usage


def plan(given: argparse.Namespace) -> int:
    """Try the move out."""
    with (
        opened_order(given, *decisions_of(given)) as order,
        ReportFiles(given.report, given.source, is_trial=True) as report,
        progress(rows_of_usage(order), quiet=given.json) as shown,
    ):
        summary = asyncio.run(_plan(order, report, marked(shown, given.log)))
    found = read_report(given.report)
    decisions = to_decide(found, str(given.source))
    if given.json:
        print_json(summary)
    else:
        print(*lines(found, decisions), *cost_lines(summary["trial"]), f"report: {given.report}", sep="\n")
    return NEEDS_A_PERSON if decisions else DONE


async def _plan(order: Order, report: ReportFiles, shown: Shown) -> dict[str, Any]:
    async with open_target(order.source_id) as live, scratch_target(order.source_id) as scratch:
        return await try_out(order, live, scratch, report, shown)


VERB: Final = Verb(
    "plan", "move into a database of its own, which is dropped: what would become of each row", plan, add_merge_users,
    needs_report=True,
)  # fmt: skip
