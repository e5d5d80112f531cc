"""Rows of `usage.usage`: insert once, find, and replace an estimate made for a vanished gateway."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

import msgspec
from asyncpg import Record

from servicekit.postgres import sql
from services.usage.domain.columns import Bounds, Column
from services.usage.domain.record import COLUMNS, Attempt, Source, Status, UsageRecord
from services.usage.store.column_sql import READ, listed
from services.usage.store.connection import Connection
from services.usage.store.rollups import COUNTED, adding

# The order of the parameters: what is carried as JSON comes last.
_JSON: Final = [column for column in COLUMNS if column.is_json]
_PLAIN: Final = [column for column in COLUMNS if not column.is_json]
_CREATED_AT: Final = Column(name="created_at", stored_as="created_at", sql_type="timestamptz", bounds=Bounds())
ORDER: Final = [*_PLAIN, _CREATED_AT, *_JSON]

# Each record is one value of the composite type, whose attributes are those of `ORDER`: an array a column would cost
# the driver, which looks at each element, as much again as everything else here.
INSERT_RECORDS: Final = adding(
    sql(
        """
        INSERT INTO usage.usage ({stored})
        SELECT {written}
        FROM unnest($1::usage.record_1[])
        ON CONFLICT (id, created_at) DO NOTHING
        RETURNING {counted}
        """,
        stored=listed(column.stored_as for column in ORDER),
        written=listed(column.write.format(column.name) for column in ORDER),
        counted=COUNTED,
    ),
    answer="id::text",
)

_plain: Final = attrgetter(*[column.name for column in _PLAIN], "created_at")
_encode: Final = msgspec.json.Encoder().encode
_attempts: Final = msgspec.json.Decoder(tuple[Attempt, ...]).decode
_tags: Final = msgspec.json.Decoder(dict[str, str]).decode


def _values(record: UsageRecord) -> tuple[Any, ...]:
    return (*_plain(record), *[_encode(getattr(record, column.name)).decode() for column in _JSON])


async def insert(connection: Connection, records: Sequence[UsageRecord]) -> set[str]:
    """Insert the records, in the order given, add what is new to the rollups, and return the ids of what is new."""
    rows = await connection.fetch(INSERT_RECORDS, list(map(_values, records)))
    return {row[0] for row in rows}


# The span of created_at spares the search in partitions that cannot hold the ids.
FIND_RECORDS: Final = sql(
    """
    SELECT {read}
    FROM usage.usage
    WHERE id = ANY($1::uuid[])
        AND created_at BETWEEN $2 AND $3
    """,
    read=READ,
)


async def find(connection: Connection, records: Sequence[UsageRecord]) -> dict[str, UsageRecord]:
    """Return what is stored under the ids of `records`."""
    return _by_id(await connection.fetch(FIND_RECORDS, *_ids_and_span(records)))


# Read again under the lock: while we waited for it, another writer may have replaced the row, and then
# PostgreSQL finds it no longer reaped and leaves it out.
LOCK_REAPED: Final = sql(
    """
    SELECT {read}
    FROM usage.usage
    WHERE id = ANY($1::uuid[])
        AND created_at BETWEEN $2 AND $3
        AND source = 'reaped'
    ORDER BY id
    FOR UPDATE
    """,
    read=READ,
)


async def lock_reaped(connection: Connection, records: Sequence[UsageRecord]) -> dict[str, UsageRecord]:
    """Lock the reaped rows under the ids of `records` and return them."""
    return _by_id(await connection.fetch(LOCK_REAPED, *_ids_and_span(records)))


def _assignment(column: Column) -> str:
    return f"{column.stored_as} = {column.write.format(_parameter(column))}"


def _parameter(column: Column) -> str:
    return f"${ORDER.index(column) + 1}::{column.sql_type}"


_KEY: Final = {column.name: column for column in ORDER if column.name in {"request_id", "created_at"}}

REPLACE_RECORD: Final = sql(
    """
    UPDATE usage.usage
    SET {assignments}
    WHERE id = {id}
        AND created_at = {created_at}
    """,
    assignments=listed(_assignment(column) for column in ORDER if column.name not in _KEY),
    id=_parameter(_KEY["request_id"]),
    created_at=_parameter(_KEY["created_at"]),
)


_STORED: Final = sql(
    """
    SELECT {counted}
    FROM usage.usage
    WHERE id = ANY($1::uuid[])
        AND created_at BETWEEN $2 AND $3
    """,
    counted=COUNTED,
)
TAKE_OFF_ROLLUPS: Final = adding(_STORED, sign="-")
ADD_TO_ROLLUPS: Final = adding(_STORED)


async def replace(connection: Connection, records: Sequence[UsageRecord]) -> None:
    """Overwrite the stored rows of the same ids, and correct the rollups by the difference."""
    if not records:
        return
    rows = _ids_and_span(records)
    await connection.execute(TAKE_OFF_ROLLUPS, *rows)
    for record in records:
        await connection.execute(REPLACE_RECORD, *_values(record))
    await connection.execute(ADD_TO_ROLLUPS, *rows)


# Every partition's primary key is asked: an id brought over from release 1.0 does not tell its time.
FIND_RECORD_OF_USER: Final = sql(
    """
    SELECT {read}, created_at
    FROM usage.usage
    WHERE id = $1
        AND user_id = $2
    """,
    read=READ,
)


async def find_of_user(connection: Connection, user_id: str, request_id: str) -> UsageRecord | None:
    """Return one request of one user."""
    row = await connection.fetchrow(FIND_RECORD_OF_USER, request_id, user_id)
    if row is None:
        return None
    values = fields_of(row)
    created_at = values.pop("created_at")
    if values["source"] is Source.IMPORTED:
        # Release 1.0 knew one time of a request.
        values["started_at"] = created_at
    return UsageRecord(**values)


FIND_IMPORTED_ID: Final = "SELECT id::text FROM usage.import_ids WHERE old_id = $1 ORDER BY id LIMIT 1"


async def find_imported_id(connection: Connection, old_id: str) -> str | None:
    """Return the id that a request of release 1.0 has now; whose it is the row says."""
    found: str | None = await connection.fetchval(FIND_IMPORTED_ID, old_id)
    return found


def _ids_and_span(records: Sequence[UsageRecord]) -> tuple[list[str], datetime, datetime]:
    times = [record.created_at for record in records]
    return [record.request_id for record in records], min(times), max(times)


def _by_id(rows: Iterable[Record]) -> dict[str, UsageRecord]:
    return {row["request_id"]: _record(row) for row in rows}


def _record(row: Record) -> UsageRecord:
    return UsageRecord(**fields_of(row))


def fields_of(row: Record) -> dict[str, Any]:
    """Return a stored row's values by the names of the record's fields."""
    values = dict(row)
    return values | {
        "status": Status(values["status"]),
        "source": Source(values["source"]),
        "attempts": _attempts(values["attempts"]),
        "metadata": _tags(values["metadata"]),
    }
