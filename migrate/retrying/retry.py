"""retry: rows that waited, as a person mended them, and the rows of users who came back with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from migrate.following.round import take_round
from migrate.moving.edited import AGAIN, EDITS
from migrate.moving.filling import Shown
from migrate.moving.owners import RENAMED, check_still_decided, owners_in
from migrate.moving.run import Order, move_rest, reading_of
from migrate.moving.target import Target
from migrate.report.files import ReportFiles
from migrate.report.values import as_stored
from migrate.retrying.edits import Edit, RowName, WrongEdit
from migrate.retrying.requests import retry_requests
from migrate.retrying.waiting import SUPERSEDED, Waiting, find_owned, find_waiting, in_stated_zone, quarantine_of
from migrate.rules.identifiers import id_of
from migrate.rules.times import Reading
from migrate.source.tables import read_layout
from services.usage.importing.imports import BEGINNING, Batch


@dataclass(frozen=True, slots=True)
class Retried:
    """What became of the lines of a person's file.

    Attributes:
        came_back: move now.
        wait: still have no place; their lines say why.
        before: had come back by an earlier command.
        with_owner: usage rows, named in no line, that came back with their user.
        summary: of all that has moved.
    """

    came_back: int
    wait: int
    before: int
    with_owner: int
    summary: Mapping[str, Any]


async def retry(
    order: Order, edits: Mapping[RowName, Edit], target: Target, report: ReportFiles, shown: Shown
) -> Retried:
    """Give rows that wait another fate. The zone of the order is that of the lines that state none.

    Raises:
        WrongEdit: a line names no row that waits; nothing was done.
        SourceFault, Unavailable, Conflict: as `take_round`; the same command goes on where it stood.
    """
    last, state = await target.usage.progress()
    if last == BEGINNING:
        raise WrongEdit("Nothing of this source has moved: start with run.")
    check_still_decided(state, order.decisions)
    report.cut(state["lengths"])
    waiting = find_waiting(report.folder, edits, order.reading.zone)
    order = replace(order, reading=replace(order.reading, zone=None))
    await _keep_edits(waiting, state, reading_of(order, state), target)
    await take_round(order, target, report, shown)
    requests = [row for row in waiting if row.table == "usage"]
    await retry_requests(order, requests, target, report, shown)
    with_owner = await _bring_owned(order, {row.number for row in requests}, target, report, shown)
    summary = await move_rest(order, read_layout(order.source.database), target, report, shown)
    wait = _still_waiting(report, waiting)
    return Retried(len(waiting) - wait, wait, len(edits) - len(waiting), with_owner, summary)


async def _keep_edits(waiting: Sequence[Waiting], state: Mapping[str, Any], reading: Reading, target: Target) -> None:
    """Keep what was mended of users and keys: each later reading of them needs it."""
    last, _ = await target.usage.progress()
    people = [row for row in waiting if row.table != "usage"]
    edits = {table: dict(of) for table, of in state.get(EDITS, {}).items()}
    for row in people:
        shown = {name: as_stored(value) for name, value in in_stated_zone(row, reading).items()}
        edits.setdefault(row.table, {})[str(row.number)] = shown
    renamed = {**state.get(RENAMED, {}), **_renamed(people)}
    await target.usage.put(Batch(last, last, {}, {}, {**state, EDITS: edits, RENAMED: renamed, AGAIN: True}))


def _renamed(people: Sequence[Waiting]) -> dict[str, str]:
    """Return the new ids of users by the old ones, as 1.1 has them."""
    found: dict[str, str] = {}
    for row in people:
        if row.table == "users" and "id" in row.edit:
            old, new = id_of(row.values["id"], "user"), id_of(row.edit["id"], "user")
            if old is not None and new is not None:
                found[old] = new
    return found


async def _bring_owned(order: Order, known: set[int], target: Target, report: ReportFiles, shown: Shown) -> int:
    _, state = await target.usage.progress()
    owned = find_owned(report.folder, owners_in(state), set(state["absent"]), known)
    return await retry_requests(order, owned, target, report, shown)


def _still_waiting(report: ReportFiles, waiting: Sequence[Waiting]) -> int:
    names = {(row.table, row.number) for row in waiting}
    lines = (line for line in quarantine_of(report.folder) if (line["table"], line["rowid"]) in names)
    return sum(SUPERSEDED not in line for line in lines)
