"""run: moves what has not moved yet."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import Any, Final

from migrate.moving.run import Order, move
from migrate.moving.target import open_target
from migrate.report.files import ReportFiles
from migrate.verbs.progress import Shown, marked, progress
from migrate.verbs.verb import DONE, NEEDS_A_PERSON, Verb, opened_order, print_json, rows_of_usage

# Its rows have no place in 1.1, and nobody has to decide about them.
HISTORY: Final = "provider_status"


def run(given: argparse.Namespace) -> int:
    """Move what has not moved yet."""
    with (
        opened_order(given) as order,
        ReportFiles(given.report) as report,
        progress(rows_of_usage(order), quiet=given.json) as shown,
    ):
        summary = asyncio.run(_run(order, report, marked(shown, given.log)))
    given.log.mark("moved", tables=summary["tables"])
    if given.json:
        print_json(summary)
    else:
        _print_summary(summary, given.report)
    waits = any(counts["quarantined"] for name, counts in summary["tables"].items() if name != HISTORY)
    return NEEDS_A_PERSON if waits or any(summary["unreadable"].values()) else DONE


async def _run(order: Order, report: ReportFiles, shown: Shown) -> dict[str, Any]:
    async with open_target(order.source_id) as target:
        return await move(order, target, report, shown)


def _print_summary(summary: dict[str, Any], folder: Path) -> None:
    for name, counts in summary["tables"].items():
        print(
            f"{name}: {counts['rows']} rows, {counts['as_it_is']} as they are, {counts['repaired']} repaired, "
            f"{counts['quarantined']} quarantined"
        )
    print(f"report: {folder}")


VERB: Final = Verb(
    "run", "move what has not moved yet; after a crash it goes on where it stood", run, needs_report=True
)
