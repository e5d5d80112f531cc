"""run: moves what has not moved yet."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Any, Final

from migrate.moving.run import Order, move
from migrate.moving.target import open_target
from migrate.report.files import ReportFiles
from migrate.verbs.verb import DONE, NEEDS_A_PERSON, Verb, opened_order, print_json

# Its rows have no place in 1.1, and nobody has to decide about them.
HISTORY: Final = "provider_status"


def run(given: argparse.Namespace) -> int:
    """Move what has not moved yet."""
    with opened_order(given) as order, ReportFiles(given.report) as report:
        summary = asyncio.run(_run(order, report, quiet=given.json))
    if given.json:
        print_json(summary)
    else:
        _print_summary(summary, given.report)
    waits = any(counts["quarantined"] for name, counts in summary["tables"].items() if name != HISTORY)
    return NEEDS_A_PERSON if waits or any(summary["unreadable"].values()) else DONE


async def _run(order: Order, report: ReportFiles, *, quiet: bool) -> dict[str, Any]:
    async with open_target(order.source_id) as target:
        return await move(order, target, report, _say_nothing if quiet else _show)


def _print_summary(summary: dict[str, Any], folder: Path) -> None:
    print(file=sys.stderr)
    for name, counts in summary["tables"].items():
        print(
            f"{name}: {counts['rows']} rows, {counts['as_it_is']} as they are, {counts['repaired']} repaired, "
            f"{counts['quarantined']} quarantined"
        )
    print(f"report: {folder}")


def _show(rows: int) -> None:
    print(f"\r{rows} usage rows", end="", file=sys.stderr, flush=True)


def _say_nothing(rows: int) -> None:
    del rows


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--report", type=Path, required=True, help="folder for the report of this source")


VERB: Final = Verb("run", "move what has not moved yet; after a crash it goes on where it stood", run, _arguments)
