"""take_round: brings 1.1 up to what 1.0 has now, and tells how much came meanwhile."""

from __future__ import annotations

import hashlib
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from migrate.fates.accounts import read_people
from migrate.following.changes import ChangeLog
from migrate.following.people import follow_people
from migrate.moving.collisions import find_collisions
from migrate.moving.edited import AGAIN, edited
from migrate.moving.mark import MARK, check_mark
from migrate.moving.owners import owners_in
from migrate.moving.requests import Shown
from migrate.moving.run import ROUND, Order, leave_history, move, move_rest, read_history, reading_of, state_of_people
from migrate.moving.target import Target
from migrate.report.files import ReportFiles
from migrate.report.wholes import HeldLines, Wholes
from migrate.source.scan import SourceRows, count_behind, read_rows
from migrate.source.tables import Layout, read_layout
from services.usage.importing.imports import BEGINNING, Batch

# Where the state remembers how users, keys and what 1.0 said of providers looked.
WHOLES: Final = "wholes"


@dataclass(frozen=True, slots=True)
class Round:
    """What a round did.

    Attributes:
        rows: usage rows that have a fate since.
        new, changed: users and keys that are new in 1.1, and what was changed of others.
        behind: usage rows that 1.0 wrote while the round took place.
        seconds: how long it took.
        summary: as `run` has it, of all that has moved.
    """

    rows: int
    new: int
    changed: int
    behind: int
    seconds: float
    summary: Mapping[str, Any]


async def take_round(order: Order, target: Target, report: ReportFiles, shown: Shown) -> Round:
    """Take over what 1.0 wrote, changed and deleted since; the first round is a run.

    Raises:
        SourceFault: rows that have moved are not where they were.
        Unavailable: a database went away: the next round goes on where this one stood.
        Conflict: another command moves the source.
    """
    began_at = time.monotonic()
    layout = read_layout(order.source.database)
    last, state = await target.usage.progress()
    if last == BEGINNING:
        summary = await move(order, target, report, shown)
        new, changed = sum(_moved(summary["tables"][name]) for name in ("users", "api_keys")), 0
    else:
        report.cut(state["lengths"])
        check_mark(order.source.database, layout.tables["usage"], state.get(MARK))
        new, changed = await _follow_wholes(order, layout, target, report)
        summary = await move_rest(order, layout, target, report, shown)
    rows = summary["tables"]["usage"]["rows"]
    last, _ = await target.usage.progress()
    behind = count_behind(order.source.database, layout.tables["usage"], last, rows)
    before = state.get("counts", {}).get("rows", 0)
    return Round(rows - before, new, changed, behind, time.monotonic() - began_at, summary)


def _moved(counts: Mapping[str, int]) -> int:
    return counts["as_it_is"] + counts["repaired"]


async def _follow_wholes(order: Order, layout: Layout, target: Target, report: ReportFiles) -> tuple[int, int]:
    """Bring over what is read as a whole, unless it is as it was; return how much is new and how much changed."""
    last, state = await target.usage.progress()
    held = HeldLines()
    with _one_moment(order.source.database):
        users, keys = edited(
            read_rows(order.source.database, layout.tables["users"]),
            read_rows(order.source.database, layout.tables["api_keys"]),
            state,
        )
        statuses = read_history(order.source, layout)
        history = leave_history(statuses, held)
    digest = _digest(users, keys, held)
    is_again = state.get(AGAIN, False)
    if digest == state.get(WHOLES) and not is_again:
        return 0, 0
    reading, owners = reading_of(order, state), owners_in(state)
    collisions = await find_collisions(read_people(users.values, keys.values, reading), target.auth)
    followed = await follow_people(users, keys, reading, owners, target, held, ChangeLog(report.folder))
    wholes, number = Wholes(report.folder), state[ROUND] + 1
    wholes.write(held, (), report, state[ROUND], number)
    new_state = {
        **state,
        **state_of_people(users, keys, statuses, followed.people, collisions),
        "provider_status": history.as_json(),
        # Rows of a user who was absent wait, and come back from there only.
        "absent": sorted({*(() if is_again else state["absent"]), *followed.people.absent}),
        AGAIN: False,
        ROUND: number,
        WHOLES: digest,
        "lengths": report.sync(),
    }
    await target.usage.put(Batch(last, last, {}, {}, new_state))
    wholes.forget(number)
    return followed.new, followed.changed


@contextmanager
def _one_moment(database: sqlite3.Connection) -> Iterator[None]:
    """Have all reads of the block see one state: a key must not lack its owner for being written in between."""
    if database.in_transaction:
        yield
        return
    database.execute("BEGIN")
    try:
        yield
    finally:
        database.execute("COMMIT")


def _digest(users: SourceRows, keys: SourceRows, history: HeldLines) -> str:
    return hashlib.sha256(repr((users, keys, sorted(history.lines.items()))).encode()).hexdigest()
