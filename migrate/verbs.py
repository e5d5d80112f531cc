"""What each verb does: from the command line to an exit status."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from migrate.inspection.inspect import inspect_source
from migrate.inspection.text import lines
from migrate.moving.run import Order, move, source_id_of
from migrate.moving.seen_ids import SeenIds
from migrate.moving.target import open_target
from migrate.moving.verification import Difference
from migrate.moving.verification import verify as compare
from migrate.names import names_of
from migrate.report.files import ReportFiles
from migrate.rules.times import Reading
from migrate.source.file import open_source

DONE: Final = 0
NEEDS_A_PERSON: Final = 1
# Its rows have no place in 1.1, and nobody has to decide about them.
HISTORY: Final = "provider_status"


def inspect(given: argparse.Namespace) -> int:
    """Count what is in the source."""
    with _order(given) as order:
        found = inspect_source(order.source, order.reading, order.names)
    if given.json:
        _print_json(found.as_json())
    else:
        print(*lines(found), sep="\n")
    return NEEDS_A_PERSON if found.needs_a_person else DONE


def run(given: argparse.Namespace) -> int:
    """Move what has not moved yet."""
    with _order(given) as order, ReportFiles(given.report) as report:
        summary = asyncio.run(_run(order, report, quiet=given.json))
    if given.json:
        _print_json(summary)
    else:
        _print_summary(summary, given.report)
    waits = any(counts["quarantined"] for name, counts in summary["tables"].items() if name != HISTORY)
    return NEEDS_A_PERSON if waits or any(summary["unreadable"].values()) else DONE


def verify(given: argparse.Namespace) -> int:
    """Compare the source with what 1.1 has."""
    with _order(given) as order, tempfile.TemporaryDirectory() as folder:
        differences = asyncio.run(_verify(order, Path(folder)))
    if given.json:
        _print_json([{"what": each.what, "source": each.source, "target": each.target} for each in differences])
    else:
        for each in differences:
            print(f"{each.what}: source {each.source}, target {each.target}")
        print("the same" if not differences else f"{len(differences)} differences")
    return NEEDS_A_PERSON if differences else DONE


def undo(given: argparse.Namespace) -> int:
    """Take back what the source brought."""
    taken = asyncio.run(_undo(source_id_of(given.source)))
    if given.json:
        _print_json(taken)
    else:
        print(f"taken back: {taken['requests']} requests, {taken['keys']} keys, {taken['accounts']} accounts")
        for kind, id_ in taken["staying"]:
            print(f"stays, because something that was born in 1.1 needs it: {kind} {id_}")
    return NEEDS_A_PERSON if taken["staying"] else DONE


async def _run(order: Order, report: ReportFiles, *, quiet: bool) -> dict[str, Any]:
    async with open_target(order.source_id) as target:
        return await move(order, target, report, _say_nothing if quiet else _show)


async def _verify(order: Order, folder: Path) -> list[Difference]:
    async with open_target(order.source_id) as target:
        with SeenIds(folder / "seen.db") as seen:
            return await compare(order, target, seen)


async def _undo(source_id: str) -> dict[str, Any]:
    async with open_target(source_id) as target:
        requests = await target.usage.take_back()
        back = await target.auth.take_back()
    staying = [list(each) for each in back.staying]
    return {"requests": requests, "keys": len(back.keys), "accounts": len(back.accounts), "staying": staying}


@contextmanager
def _order(given: argparse.Namespace) -> Iterator[Order]:
    reading = Reading(given.naive_zone, datetime.now(UTC))
    with (
        tempfile.TemporaryDirectory(prefix="razvilka-migrate-") as aside,
        open_source(given.source, Path(aside)) as source,
    ):
        yield Order(source, source_id_of(given.source), reading, names_of())


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


def _print_json(content: Any) -> None:
    print(json.dumps(content, ensure_ascii=False, indent=2))
