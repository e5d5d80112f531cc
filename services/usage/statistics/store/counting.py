"""Reads the sums of a query: from a rollup if one can answer, else from rows; tags from both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from asyncpg import Record

from services.usage.domain.rollup import SUMS, TAGS_A_DAY
from services.usage.statistics.domain.checking import MOST_ROWS, UNCOUNTED, check_rows
from services.usage.statistics.domain.pieces import cut
from services.usage.statistics.domain.query import Bucket, Dimension, Query
from services.usage.statistics.domain.sampling import Slot, slots_between
from services.usage.statistics.offload import offload
from services.usage.statistics.store.parameters import values_for_rollup, values_for_rows, values_for_slots
from services.usage.statistics.store.sources import sources_of
from services.usage.statistics.store.statement import shape_of, slots_of, sums_of_rollup, sums_of_rows
from services.usage.store.connection import Connection

_HOUR: Final = timedelta(hours=1)
# A month has 744 hours; of a year days are as many, and a window of it is longer than a day.
_HOURLY: Final = timedelta(days=32)


@dataclass(frozen=True, slots=True)
class Counted:
    """The sums of a group in a bucket; buckets count from 1. `is_other`: of all groups beyond the largest."""

    bucket: int
    group: tuple[str, ...]
    is_other: bool
    sums: dict[str, int]


async def sums_of(connection: Connection, query: Query, starts: list[datetime], *, rows: bool = False) -> list[Counted]:
    """Return the sums of each group and bucket in which there was a request; `rows`: whatever rollups there are.

    Raises:
        InvalidRequest: there are more than anybody could be answered.
    """
    rollup, finer = (None, None) if rows else sources_of(query)
    if rollup is None:
        statement, values = sums_of_rows(shape_of(query)), values_for_rows(query, starts)
    else:
        pieces = cut([query.since, *starts[1:], query.until], rollup.slot)
        statement, values = (
            sums_of_rollup(shape_of(query), rollup, finer),
            values_for_rollup(query, rollup, finer, pieces),
        )
    if query.limit or UNCOUNTED.isdisjoint(query.group_by):
        return list(map(_counted, await connection.fetch(statement, *values)))
    # One more tells that there are too many, before they take all memory.
    found = await connection.fetch(f"{statement} LIMIT {MOST_ROWS + 1}", *values)
    check_rows(len(found), MOST_ROWS)
    return await offload(len(found), lambda: list(map(_counted, found)))


async def slots_with_requests(connection: Connection, query: Query) -> list[Slot]:
    """Return where the requests of a question are: by hour where that is quickly told, else by day or week."""
    bucket = Bucket.HOUR if query.until - query.since <= _HOURLY else None
    asked = replace(query, bucket=bucket, group_by=(), top=0, limit=0, after=None)
    rollup, _ = sources_of(asked)
    rows = await connection.fetch(slots_of(shape_of(asked), rollup), *values_for_slots(asked, rollup))
    found = [(_beginning(row["slot"]), row["requests"]) for row in rows]
    return slots_between(query.since, query.until, rollup.slot if rollup else _HOUR, found)


def _beginning(slot: date) -> datetime:
    return slot if isinstance(slot, datetime) else datetime.combine(slot, time(), UTC)


def _counted(row: Record) -> Counted:
    bucket, values, is_other, *sums = row.values()
    return Counted(bucket, tuple(values), is_other, dict(zip(SUMS, map(int, sums), strict=True)))


HAS_FULL_DAY: Final = """
    SELECT EXISTS (
        SELECT
        FROM usage.rollup_tag_days
        WHERE tags >= $1
            AND day BETWEEN $2 AND $3
            AND ($4::text IS NULL OR user_id = $4)
    )
"""


async def sums_by_tag(connection: Connection, query: Query, starts: list[datetime]) -> list[Counted]:
    """Return the sums of each tag, and of the requests without any as the group '': what all have less the tagged.

    Nothing is folded. A day with too many tags is not in the rollup: then tagged rows are read.
    """
    place = query.group_by.index(Dimension.TAG)
    span = [moment.astimezone(UTC).date() for moment in (query.since, query.until)]
    is_full = await connection.fetchval(HAS_FULL_DAY, TAGS_A_DAY, *span, query.user_id)
    found = await sums_of(connection, replace(query, top=0), starts, rows=is_full)
    of_tags = [each for each in found if each.group[place]]
    if Dimension.TAG in query.filters:
        return of_tags
    others = tuple(each for each in query.group_by if each is not Dimension.TAG)
    totals = await sums_of(connection, replace(query, group_by=others, top=0), starts)
    tagged = {(each.bucket, _without(each.group, place)): each.sums for each in found if not each.group[place]}
    rest = [_less(each, tagged.get((each.bucket, each.group)), place) for each in totals]
    return [*of_tags, *[each for each in rest if each.sums["requests"]]]


def _without(group: Sequence[str], place: int) -> tuple[str, ...]:
    return (*group[:place], *group[place + 1 :])


def _less(total: Counted, tagged: dict[str, int] | None, place: int) -> Counted:
    sums = total.sums if tagged is None else {name: total.sums[name] - tagged[name] for name in SUMS}
    return replace(total, group=(*total.group[:place], "", *total.group[place:]), sums=sums)
