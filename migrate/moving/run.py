"""move: one run over a source, from its beginning or from where the last one ended."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from migrate.fates.accounts import read_people
from migrate.fates.fate import Quarantined
from migrate.fates.merging import Collision, Decision, WrongDecision
from migrate.fates.requests import Names
from migrate.moving.collisions import find_collisions
from migrate.moving.counts import Counts
from migrate.moving.mark import MARK, check_mark, mark_at
from migrate.moving.months import MonthsLeft, tell_nobody
from migrate.moving.owners import MERGED, Ask, check_still_decided, decided, owners_in
from migrate.moving.people import MovedPeople, move_people
from migrate.moving.requests import PEOPLE_MOVED, MovedRequests, Shown, Way, move_requests
from migrate.moving.seen_ids import SeenIds, forget_ids, opened_ids
from migrate.moving.target import Target
from migrate.report.files import ReportFiles
from migrate.report.lines import ReportLines
from migrate.report.wholes import HeldLines, Wholes
from migrate.rules.times import Reading
from migrate.source.file import Source
from migrate.source.pages import bad_pages
from migrate.source.scan import Scan, SourceRows, read_rows
from migrate.source.tables import Layout, Table, read_layout
from services.usage.importing.imports import BEGINNING, Batch

SEEN: Final = "seen-ids.db"
# What the state remembers: the number of the round that was last reported, and when the source was first read.
ROUND: Final = "round"
FIRST_ROUND: Final = 0
FIRST_SEEN: Final = "first_seen"
# The zone of times that say none.
ZONE: Final = "naive_zone"


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be moved, and how its values are to be read.

    Attributes:
        decisions: which of the accounts with one address become one; all others stay apart.
        ask: asks a person for more of them.
        months_left: is told how many months of usage, whose rows are there, wait for what.
    """

    source: Source
    source_id: str
    reading: Reading
    names: Names
    decisions: Sequence[Decision] = ()
    ask: Ask | None = None
    months_left: MonthsLeft = tell_nobody


def source_id_of(path: Path) -> str:
    """Return the name of a source in 1.1: the same file in the same place is the same source."""
    return f"{path.name[:64]}-{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:16]}"


async def move(order: Order, target: Target, report: ReportFiles, shown: Shown) -> dict[str, Any]:
    """Move what has not moved yet; return the summary, which is also in the report's folder.

    Raises:
        SourceFault: the source is none of release 1.0.
        WrongDecision: accounts cannot become one, or have moved already.
        Unavailable: a database went away: run it again, it goes on where it stood.
        Conflict: another run moves the source.
    """
    layout = read_layout(order.source.database)
    last, state = await target.usage.progress()
    if last == BEGINNING:
        await _move_people(order, layout, state, target, report)
    else:
        check_still_decided(state, order.decisions)
    return await move_rest(order, layout, target, report, shown)


async def move_rest(order: Order, layout: Layout, target: Target, report: ReportFiles, shown: Shown) -> dict[str, Any]:
    """Move the usage rows behind the last one that has a fate; return the summary.

    Raises:
        SourceFault: rows that have moved are not where they were: nothing was done.
        WrongDecision: times were read in another zone.
    """
    _, state = await target.usage.progress()
    table = layout.tables["usage"]
    check_mark(order.source.database, table, state.get(MARK))
    scan = Scan(order.source.database, table)
    with opened_ids(report.folder / SEEN) as seen:
        moved = await move_requests(scan, table, way_of(order, state, target, seen, report, shown))
    await _keep_mark(order, table, target)
    summary = _summary(order, layout, state, moved)
    report.summary(summary)
    return summary


def way_of(
    order: Order, state: Mapping[str, Any], target: Target, seen: SeenIds, report: ReportFiles, shown: Shown
) -> Way:
    """Return how usage rows are read and where they go."""
    return Way(
        order.source_id,
        reading_of(order, state),
        order.names,
        set(state["absent"]),
        owners_in(state),
        target.usage,
        seen,
        report,
        shown,
        order.months_left,
    )


async def _keep_mark(order: Order, table: Table, target: Target) -> None:
    last, state = await target.usage.progress()
    mark = mark_at(order.source.database, table, last)
    if mark is not None and mark != state.get(MARK):
        await target.usage.put(Batch(last, last, {}, {}, {**state, MARK: mark}))


async def _move_people(
    order: Order, layout: Layout, state: Mapping[str, Any], target: Target, report: ReportFiles
) -> None:
    report.cut({})
    # What an earlier run saw, whose rows were taken back.
    forget_ids(report.folder / SEEN)
    held, wholes = HeldLines(), Wholes(report.folder)
    users, keys = (read_rows(order.source.database, layout.tables[name]) for name in ("users", "api_keys"))
    collisions = await find_collisions(read_people(users.values, keys.values, order.reading), target.auth)
    merged = decided(state, order.decisions, order.ask, collisions)
    # A run that is killed while accounts move must not go on with other decisions, nor with another first moment.
    first_seen = state.get(FIRST_SEEN, order.reading.now.isoformat())
    zone = order.reading.zone
    begun = {MERGED: merged, FIRST_SEEN: first_seen, ZONE: state.get(ZONE, None if zone is None else zone.key)}
    await target.usage.put(Batch(BEGINNING, BEGINNING, {}, {}, begun))
    people = await move_people(users, keys, reading_of(order, begun), merged, target.auth, held)
    statuses = read_history(order.source, layout)
    history = leave_history(statuses, held)
    wholes.write(held, (), report, None, FIRST_ROUND)
    moved = {
        **begun,
        **state_of_people(users, keys, statuses, people, collisions),
        "provider_status": history.as_json(),
        "absent": sorted(people.absent),
        ROUND: FIRST_ROUND,
        "lengths": report.sync(),
    }
    await target.usage.put(Batch(BEGINNING, PEOPLE_MOVED, {}, {}, moved))
    wholes.forget(FIRST_ROUND)


def reading_of(order: Order, state: Mapping[str, Any]) -> Reading:
    """Return how values are read: as they were from the beginning, whatever the words of this command leave out.

    Raises:
        WrongDecision: it states another zone.
    """
    stated, kept = order.reading.zone, state.get(ZONE)
    if stated is not None and stated.key != kept:
        raise WrongDecision(
            f"Rows of this source have moved with {kept or 'no zone'}: leave --naive-zone out; bring rows that wait "
            "for a zone back with run --from-quarantine; or undo first."
        )
    return replace(
        order.reading,
        zone=None if kept is None else ZoneInfo(kept),
        first_seen=datetime.fromisoformat(state[FIRST_SEEN]),
    )


def state_of_people(
    users: SourceRows, keys: SourceRows, statuses: SourceRows, people: MovedPeople, collisions: Sequence[Collision]
) -> dict[str, Any]:
    """Return what the summary says of them."""
    return {
        "users": people.users.as_json(),
        "api_keys": people.keys.as_json(),
        "unreadable": {"users": _holes(users), "api_keys": _holes(keys), "provider_status": _holes(statuses)},
        "addresses_of_several": [[each.address, *each.user_ids] for each in collisions],
        "accounts_of_1_1": sorted({id_ for each in collisions for id_ in each.user_ids[: each.of_1_1]}),
    }


def read_history(source: Source, layout: Layout) -> SourceRows:
    """Return what 1.0 said of providers."""
    table = layout.tables.get("provider_status")
    return read_rows(source.database, table) if table else SourceRows((), ())


def leave_history(statuses: SourceRows, report: ReportLines) -> Counts:
    """Set aside what 1.0 said of providers: the routers of 1.1 write their own state every few seconds."""
    counts = Counts()
    for number, row in statuses.rows:
        report.quarantine("provider_status", number, Quarantined("history_of_1_0"), row)
        counts.quarantined += 1
    return counts


def _holes(rows: SourceRows) -> list[list[int]]:
    return [[hole.first, hole.last] for hole in rows.holes]


def _summary(order: Order, layout: Layout, state: Mapping[str, Any], moved: MovedRequests) -> dict[str, Any]:
    unreadable = {**state["unreadable"], "usage": [[hole.first, hole.last] for hole in moved.holes]}
    return {
        "source": str(order.source.path),
        "source_id": order.source_id,
        "naive_zone": state.get(ZONE),
        "notes": list(order.source.notes),
        "tables": {
            "users": state["users"],
            "api_keys": state["api_keys"],
            "provider_status": state["provider_status"],
            "usage": {**moved.counts.as_json(), "cost_micro_rub": moved.cost_micro_rub},
        },
        "unreadable": unreadable,
        "bad_pages": bad_pages(order.source.database) if any(unreadable.values()) else [],
        "addresses_of_several": state["addresses_of_several"],
        "accounts_of_1_1": state.get("accounts_of_1_1", []),
        "merged": state.get(MERGED, {}),
        "stays_behind": list(layout.others),
    }
