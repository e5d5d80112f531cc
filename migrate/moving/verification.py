"""verify: what the source says should have moved, against what auth and usage have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date

from migrate.fates.accounts import People, read_people
from migrate.fates.fate import Moved
from migrate.fates.merging import booked
from migrate.fates.records import Request
from migrate.fates.requests import request_fate
from migrate.moving.owners import owners_in
from migrate.moving.run import Order
from migrate.moving.seen_ids import SeenIds
from migrate.moving.target import Target
from migrate.source.scan import Scan, read_rows
from migrate.source.tables import read_layout

Day = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not the same on both sides."""

    what: str
    source: object
    target: object


async def verify(order: Order, target: Target, seen: SeenIds) -> list[Difference]:
    """Return what differs: accounts, keys, and requests, tokens and cost of each day. It reads, and writes nothing."""
    layout = read_layout(order.source.database)
    users, keys = (read_rows(order.source.database, layout.tables[name]) for name in ("users", "api_keys"))
    _, state = await target.usage.progress()
    absent, owners = set(state.get("absent", ())), owners_in(state)
    people = read_people(users.values, keys.values, order.reading, owners)
    own = (fate.record for fate in people.accounts if isinstance(fate, Moved))
    wanted = {record.id for record in own if not record.is_merged_away} - absent
    return [
        *_sets("account", wanted, set(await target.auth.addresses(sorted(wanted)))),
        *_sets("key", _keys(people, absent), await target.auth.kept_keys()),
        *_compared(_days(order, absent, owners, seen), await target.usage.days()),
    ]


def _keys(people: People, absent: set[str]) -> set[str]:
    moved = (fate.record for fate in people.keys if isinstance(fate, Moved))
    return {key.id for key in moved if key.user_id not in absent}


def _days(order: Order, absent: set[str], owners: Mapping[str, str], seen: SeenIds) -> dict[date, Day]:
    days: dict[date, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for request in _requests(order, absent, owners, seen):
        amounts = (1, request.tokens_input, request.tokens_output, request.cost_micro_rub)
        sums = days[request.created_at.astimezone(UTC).date()]
        sums[:] = [total + amount for total, amount in zip(sums, amounts, strict=True)]
    return {day: tuple(sums) for day, sums in days.items()}


def _requests(order: Order, absent: set[str], owners: Mapping[str, str], seen: SeenIds) -> Iterator[Request]:
    """Yield what should have moved; the first row of an id is its row."""
    table = read_layout(order.source.database).tables["usage"]
    scan = Scan(order.source.database, table)
    place = 0
    for piece in scan.rows():
        for row in piece:
            fate = booked(request_fate(scan.named(row), order.reading, order.names), owners)
            place += 1
            if isinstance(fate, Moved) and fate.record.user_id not in absent and seen.is_first(fate.record.id, place):
                yield fate.record


def _sets(noun: str, wanted: set[str], found: set[str]) -> Iterator[Difference]:
    for id_ in sorted(wanted ^ found):
        yield Difference(f"{noun} {id_}", id_ in wanted, id_ in found)


def _compared(wanted: Mapping[date, Day], found: Mapping[date, Day]) -> Iterator[Difference]:
    for day in sorted(wanted.keys() | found.keys()):
        if wanted.get(day) != found.get(day):
            yield Difference(f"requests, tokens in and out, micro-roubles of {day}", wanted.get(day), found.get(day))
