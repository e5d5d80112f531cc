"""run: moves what has not moved yet."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from migrate.moving.run import Order, move
from migrate.moving.target import open_target
from migrate.report.decisions import HISTORY
from migrate.report.files import ReportFiles
from migrate.report.text import table_lines
from migrate.retrying.edits import Edit, RowName, read_edits
from migrate.retrying.retry import retry
from migrate.verbs.merging import add_merge_users, decisions_of
from migrate.verbs.progress import Shown, marked, progress
from migrate.verbs.verb import DONE, NEEDS_A_PERSON, Verb, opened_order, print_json, rows_of_usage

# In the summary: what became of lines of the quarantine.
BACK: Final = "from_quarantine"


def run(given: argparse.Namespace) -> int:
    """Move what has not moved yet."""
    edits = None if given.from_quarantine is None else read_edits(given.from_quarantine)
    with (
        opened_order(given, *decisions_of(given)) as order,
        ReportFiles(given.report, given.source) as report,
        progress(rows_of_usage(order), quiet=given.json) as shown,
    ):
        summary = asyncio.run(_run(order, edits, report, marked(shown, given.log)))
    given.log.mark("moved", tables=summary["tables"], from_quarantine=summary.get(BACK))
    if given.json:
        print_json(summary)
    else:
        print(*_parts_of_return(summary.get(BACK)), sep="", end="")
        print(*table_lines(summary["tables"]), f"report: {given.report}", sep="\n")
    return NEEDS_A_PERSON if waits_for_a_person(summary) else DONE


def waits_for_a_person(summary: Mapping[str, Any]) -> bool:
    """Tell whether rows did not move, or could not be read."""
    waits = any(counts["quarantined"] for name, counts in summary["tables"].items() if name != HISTORY)
    return waits or any(summary["unreadable"].values())


async def _run(order: Order, edits: Mapping[RowName, Edit] | None, report: ReportFiles, shown: Shown) -> dict[str, Any]:
    async with open_target(order.source_id) as target:
        if edits is None:
            return await move(order, target, report, shown)
        retried = await retry(order, edits, target, report, shown)
    counts = {
        "came_back": retried.came_back,
        "wait": retried.wait,
        "before": retried.before,
        "with_their_user": retried.with_owner,
    }
    return {**retried.summary, BACK: counts}


def _parts_of_return(counts: Mapping[str, int] | None) -> Iterator[str]:
    if counts is not None:
        yield f"of the lines {counts['came_back']} rows came back, {counts['wait']} still wait, "
        yield f"{counts['before']} had come back before; "
        yield f"{counts['with_their_user']} usage rows came back with their user\n"


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    add_merge_users(parser)
    parser.add_argument(
        "--from-quarantine",
        type=Path,
        metavar="FILE",
        help="try again lines of quarantine.jsonl, with other values; --naive-zone is then for these lines only",
    )


VERB: Final = Verb(
    "run",
    "move what has not moved yet; after a crash it goes on where it stood",
    run,
    _add_arguments,
    needs_report=True,
)
