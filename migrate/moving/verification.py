"""verify: what the source says should have moved, against what auth and usage have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain, starmap
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from migrate.fates.accounts import People, read_people
from migrate.fates.fate import Moved
from migrate.fates.merging import WrongDecision, booked
from migrate.fates.records import Request
from migrate.fates.requests import request_fate
from migrate.moving.edited import edited
from migrate.moving.filling import FUTURE
from migrate.moving.owners import owners_in
from migrate.moving.requests import numbered
from migrate.moving.run import FIRST_SEEN, Order, reading_of
from migrate.moving.seen_ids import SeenIds
from migrate.moving.target import Target
from migrate.report.reading import lines_of
from migrate.report.values import stored_of
from migrate.rules.times import Reading
from migrate.rules.verdict import Stored
from migrate.source.scan import Scan, read_rows
from migrate.source.tables import read_layout
from migrate.usage_rows.day_sums import SUMS, Day, day_sums
from migrate.usage_rows.plain_rows import PlainRow, PlainRows, row_of
from migrate.usage_rows.tags import tags_of
from migrate.usage_rows.taken_ids import TakenIds, has_free_id, taken_ids
from services.usage.importing.imports import BEGINNING


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not the same on both sides."""

    what: str
    source: object
    target: object


@dataclass(frozen=True, slots=True)
class _Wanted:
    """How the source's rows moved.

    Attributes:
        mended: usage rows that came back from quarantine, by number: their values, and the zone of their times.
        future: usage rows that wait because they were of the future when they were read.
    """

    absent: set[str]
    owners: Mapping[str, str]
    reading: Reading
    mended: Mapping[int, tuple[Mapping[str, Stored], Reading]]
    future: AbstractSet[int]


async def verify(order: Order, target: Target, seen: SeenIds, folder: Path | None = None) -> list[Difference]:
    """Return what differs: accounts, keys, and requests, tokens and cost of each day. It reads, and writes nothing.

    Args:
        folder: of the report, which has the values of rows that came back from quarantine.

    Raises:
        WrongDecision: there are such rows, and no folder.
    """
    layout = read_layout(order.source.database)
    _, state = await target.usage.progress()
    users, keys = edited(
        read_rows(order.source.database, layout.tables["users"]),
        read_rows(order.source.database, layout.tables["api_keys"]),
        state,
    )
    reading = reading_of(order, state) if FIRST_SEEN in state else order.reading
    how = _Wanted(
        set(state.get("absent", ())),
        owners_in(state),
        reading,
        _mended(state, reading, folder),
        frozenset(state.get(FUTURE, ())),
    )
    people = read_people(users.values, keys.values, reading, how.owners)
    own = (fate.record for fate in people.accounts if isinstance(fate, Moved))
    wanted = {record.id for record in own if not record.is_merged_away} - how.absent
    return [
        *_waiting(await target.usage.months_apart()),
        *_sets("account", wanted, set(await target.auth.addresses(sorted(wanted)))),
        *_sets("key", _keys(people, how.absent), set(await target.auth.kept_keys())),
        *_compared(day_sums(_rows(order, how, seen)), await target.usage.days()),
    ]


def _mended(
    state: Mapping[str, Any], reading: Reading, folder: Path | None
) -> dict[int, tuple[Mapping[str, Stored], Reading]]:
    if not state.get("lengths", {}).get("edited"):
        return {}
    if folder is None:
        raise WrongDecision("Rows came back from quarantine with other values: name the report's folder by --report.")
    return {
        line["rowid"]: (
            {name: stored_of(shown) for name, shown in line["values"].items()},
            reading if line["naive_zone"] is None else replace(reading, zone=ZoneInfo(line["naive_zone"])),
        )
        for line in lines_of(folder / "edited.jsonl")
    }


def _keys(people: People, absent: set[str]) -> set[str]:
    moved = (fate.record for fate in people.keys if isinstance(fate, Moved))
    return {key.id for key in moved if key.user_id not in absent}


def _rows(order: Order, how: _Wanted, seen: SeenIds) -> Iterator[PlainRow]:
    """Yield what should have moved; the first row of an id is its row."""
    table = read_layout(order.source.database).tables["usage"]
    scan = Scan(order.source.database, table)
    plain = PlainRows(table, how.reading, order.names, how.absent | how.owners.keys())
    taken = taken_ids(scan, table, seen, lambda values: _moving(values, how.reading, order, how) is not None)
    for number, cells in chain.from_iterable(starmap(zip, numbered(scan, table, BEGINNING))):
        if number in how.future:
            continue
        row = None if number in how.mended else plain.read(cells)
        if row is not None and taken.is_free(row[0], number):
            yield row
        else:
            yield from _slowly(number, scan.named(scan.row(cells)), order, how, taken)


def _slowly(
    number: int, original: Mapping[str, Stored], order: Order, how: _Wanted, taken: TakenIds
) -> Iterator[PlainRow]:
    values, reading = how.mended.get(number, (original, how.reading))
    fate = _moving(values, reading, order, how)
    if fate is None:
        return
    # A person may have given it another id.
    is_free = (
        taken.is_free_for_made(fate.record.id, number) if number in how.mended else has_free_id(fate, number, taken)
    )
    if is_free:
        yield row_of(fate.record, tags_of(fate.record.extra)[0])


def _moving(values: Mapping[str, Stored], reading: Reading, order: Order, how: _Wanted) -> Moved[Request] | None:
    fate = booked(request_fate(values, reading, order.names), how.owners)
    return fate if isinstance(fate, Moved) and fate.record.user_id not in how.absent else None


def _waiting(months: AbstractSet[date]) -> Iterator[Difference]:
    if months:
        named = ", ".join(f"{month:%Y-%m}" for month in sorted(months))
        yield Difference(f"months that wait for a run to come to its end: {named}", len(months), 0)


def _sets(noun: str, wanted: set[str], found: set[str]) -> Iterator[Difference]:
    for id_ in sorted(wanted ^ found):
        yield Difference(f"{noun} {id_}", id_ in wanted, id_ in found)


def _compared(wanted: Mapping[date, Day], found: Mapping[date, Day]) -> Iterator[Difference]:
    for day in sorted(wanted.keys() | found.keys()):
        source, target = wanted.get(day, ()), found.get(day, ())
        if source[:SUMS] != target[:SUMS]:
            what = f"requests, tokens in and out, micro-roubles of {day}"
            yield Difference(what, source[:SUMS] or None, target[:SUMS] or None)
        elif source != target:
            yield Difference(f"checksum of {day}, whose sums are the same", source[SUMS], target[SUMS])
