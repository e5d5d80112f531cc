"""move: one run over a source, from its beginning or from where the last one ended."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from migrate.fates.fate import Quarantined
from migrate.fates.requests import Names
from migrate.moving.counts import Counts
from migrate.moving.mark import MARK, check_mark, mark_at
from migrate.moving.people import MovedPeople, move_people
from migrate.moving.requests import PEOPLE_MOVED, MovedRequests, Shown, Way, move_requests
from migrate.moving.seen_ids import SeenIds
from migrate.moving.target import Target
from migrate.report.files import ReportFiles
from migrate.report.lines import ReportLines
from migrate.report.wholes import HeldLines, Wholes
from migrate.rules.times import Reading
from migrate.source.file import Source
from migrate.source.scan import Scan, SourceRows, read_rows
from migrate.source.tables import Layout, Table, read_layout
from services.usage.importing.imports import BEGINNING, Batch

SEEN: Final = "seen-ids.db"
FIRST_ROUND: Final = 0


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be moved, and how its values are to be read."""

    source: Source
    source_id: str
    reading: Reading
    names: Names


def source_id_of(path: Path) -> str:
    """Return the name of a source in 1.1: the same file in the same place is the same source."""
    return f"{path.name[:64]}-{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]}"


async def move(order: Order, target: Target, report: ReportFiles, shown: Shown) -> dict[str, Any]:
    """Move what has not moved yet; return the summary, which is also in the report's folder.

    Raises:
        SourceFault: the source is none of release 1.0.
        Unavailable: a database went away: run it again, it goes on where it stood.
        Conflict: another run moves the source.
    """
    layout = read_layout(order.source.database)
    last, _ = await target.usage.progress()
    if last == BEGINNING:
        await _move_people(order, layout, target, report)
    return await move_rest(order, layout, target, report, shown)


async def move_rest(order: Order, layout: Layout, target: Target, report: ReportFiles, shown: Shown) -> dict[str, Any]:
    """Move the usage rows behind the last one that has a fate; return the summary.

    Raises:
        SourceFault: rows that have moved are not where they were: nothing was done.
    """
    _, state = await target.usage.progress()
    table = layout.tables["usage"]
    check_mark(order.source.database, table, state.get(MARK))
    scan = Scan(order.source.database, table)
    with SeenIds(report.folder / SEEN) as seen:
        way = Way(order.source_id, order.reading, order.names, set(state["absent"]), target.usage, seen, report, shown)
        moved = await move_requests(scan, table, way)
    await _keep_mark(order, table, target)
    summary = _summary(order, layout, state, moved)
    report.summary(summary)
    return summary


async def _keep_mark(order: Order, table: Table, target: Target) -> None:
    last, state = await target.usage.progress()
    mark = mark_at(order.source.database, table, last)
    if mark is not None and mark != state.get(MARK):
        await target.usage.put(Batch(last, last, (), {}, {**state, MARK: mark}))


async def _move_people(order: Order, layout: Layout, target: Target, report: ReportFiles) -> None:
    report.cut({})
    held, wholes = HeldLines(), Wholes(report.folder)
    users, keys = (read_rows(order.source.database, layout.tables[name]) for name in ("users", "api_keys"))
    people = await move_people(users, keys, order.reading, target.auth, held)
    history = leave_history(order.source, layout, held)
    wholes.write(held, (), report, None, FIRST_ROUND)
    state = {
        **state_of_people(users, keys, people),
        "provider_status": history.as_json(),
        "absent": sorted(people.absent),
        "first_seen": order.reading.now.isoformat(),
        "round": FIRST_ROUND,
        "lengths": report.sync(),
    }
    await target.usage.put(Batch(BEGINNING, PEOPLE_MOVED, (), {}, state))
    wholes.forget(FIRST_ROUND)


def state_of_people(users: SourceRows, keys: SourceRows, people: MovedPeople) -> dict[str, Any]:
    """Return what the summary says of them."""
    return {
        "users": people.users.as_json(),
        "api_keys": people.keys.as_json(),
        "unreadable": {"users": _holes(users), "api_keys": _holes(keys)},
        "addresses_of_several": [[each.address, *each.user_ids] for each in people.collisions],
    }


def leave_history(source: Source, layout: Layout, report: ReportLines) -> Counts:
    """Set aside what 1.0 said of providers: the routers of 1.1 write their own state every few seconds."""
    counts = Counts()
    table = layout.tables.get("provider_status")
    for number, row in read_rows(source.database, table).rows if table else ():
        report.quarantine("provider_status", number, Quarantined("history_of_1_0"), row)
        counts.quarantined += 1
    return counts


def _holes(rows: SourceRows) -> list[list[int]]:
    return [[hole.first, hole.last] for hole in rows.holes]


def _summary(order: Order, layout: Layout, state: Mapping[str, Any], moved: MovedRequests) -> dict[str, Any]:
    usage_holes = [[hole.first, hole.last] for hole in moved.holes]
    return {
        "source": str(order.source.path),
        "source_id": order.source_id,
        "naive_zone": None if order.reading.zone is None else order.reading.zone.key,
        "notes": list(order.source.notes),
        "tables": {
            "users": state["users"],
            "api_keys": state["api_keys"],
            "provider_status": state["provider_status"],
            "usage": {**moved.counts.as_json(), "cost_micro_rub": moved.cost_micro_rub},
        },
        "unreadable": {**state["unreadable"], "usage": usage_holes},
        "addresses_of_several": state["addresses_of_several"],
        "stays_behind": list(layout.others),
    }
