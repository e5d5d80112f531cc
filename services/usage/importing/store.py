"""SQL of imports: progress, new ids of old requests, undoing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

import msgspec

from servicekit.postgres import sql
from services.usage.importing.copy_rows import CHECKSUM, COLUMNS, HEADER, TRAILER
from services.usage.store.connection import Connection
from services.usage.store.rollups import COUNTED, adding

FIND_PROGRESS: Final = "SELECT last_row, state::text FROM usage.imports WHERE source_id = $1"
# Two movers of one source: the second finds that the row is not where it left it.
ADVANCE: Final = """
INSERT INTO usage.imports AS stored (source_id, last_row, state) VALUES ($1, $3, $4::jsonb)
ON CONFLICT (source_id) DO UPDATE SET last_row = $3, state = $4::jsonb, changed_at = now()
WHERE stored.last_row = $2
RETURNING source_id
"""
FORGET: Final = "DELETE FROM usage.imports WHERE source_id = $1"

INSERT_IDS: Final = """
INSERT INTO usage.import_ids (source_id, old_id, id)
SELECT $1, old_id, id FROM unnest($2::text[], $3::uuid[]) AS given (old_id, id)
ON CONFLICT DO NOTHING
"""
FORGET_IDS: Final = "DELETE FROM usage.import_ids WHERE source_id = $1"
SUM_DAYS: Final = sql(
    """
    SELECT
        (created_at AT TIME ZONE 'UTC')::date AS day, count(*), sum(tokens_input), sum(tokens_output),
        sum(cost) * 1000000, sum({checksum})
    FROM usage.usage
    WHERE source = 'imported' AND price_version = $1
    GROUP BY 1
    """,
    checksum=CHECKSUM,
)

# All rows of a source are read: tens of millions take minutes.
SUM_TIMEOUT_S: Final = 1_800.0
FIND_SPAN: Final = """
SELECT min(created_at), max(created_at) FROM usage.usage WHERE source = 'imported' AND price_version = $1
"""
# Bytes that are sent at once, or somewhat more.
PIECE: Final = 128 * 1024
STAGE: Final = "SELECT usage.stage_import($1)"
UNSTAGE: Final = "SELECT usage.unstage_import()"
INSERT_STAGED: Final = "INSERT INTO usage.usage SELECT * FROM usage.import_rows"
ADD_STAGED: Final = adding(sql("SELECT {counted} FROM usage.import_rows", counted=COUNTED))
TAKE_BACK: Final = adding(sql("SELECT {counted} FROM usage.take_back_imported($1, $2, $3)", counted=COUNTED), sign="-")

USERS_OF_OTHERS: Final = """
SELECT given.id FROM unnest($1::text[]) AS given (id)
WHERE EXISTS (
    SELECT FROM usage.usage AS u WHERE u.user_id = given.id AND (u.source <> 'imported' OR u.price_version <> $2)
)
UNION
SELECT id FROM usage.users_of_others_apart($2, $1) AS apart (id)
"""


async def find_progress(connection: Connection, source_id: str) -> tuple[int, Mapping[str, Any]] | None:
    """Return the last row with a fate, and the state that was kept with it."""
    row = await connection.fetchrow(FIND_PROGRESS, source_id)
    return None if row is None else (row[0], msgspec.json.decode(row[1]))


async def advance(connection: Connection, source_id: str, from_row: int, to_row: int, state: Mapping[str, Any]) -> bool:
    """Move on from one row to another; False: somebody else did."""
    encoded = msgspec.json.encode(state).decode()
    return await connection.fetchval(ADVANCE, source_id, from_row, to_row, encoded) is not None


async def insert_ids(connection: Connection, source_id: str, ids: Mapping[str, str]) -> None:
    """Note which id became which."""
    if ids:
        await connection.execute(INSERT_IDS, source_id, list(ids), list(ids.values()))


async def sum_days(connection: Connection, tag: str) -> dict[date, tuple[int, ...]]:
    """Return requests, tokens in and out, micro-roubles and checksum of a source's rows, by UTC day."""
    rows = await connection.fetch(SUM_DAYS, tag, timeout=SUM_TIMEOUT_S)
    return {row[0]: tuple(map(int, row[1:])) for row in rows}


async def span_of(connection: Connection, tag: str) -> tuple[datetime, datetime] | None:
    """Return the times of the first and the last row of a source."""
    first, last = await connection.fetchrow(FIND_SPAN, tag)  # type: ignore[misc]
    return None if first is None else (first, last)


async def put_rows(connection: Connection, tag: str, rows: Sequence[bytes]) -> None:
    """Store rows as `copy_rows` makes them, and add them to the rollups.

    Raises:
        asyncpg.UniqueViolationError: an id is there already at the same time.
    """
    await connection.execute(STAGE, tag)
    await connection.copy_to_table(
        "import_rows", schema_name="usage", columns=COLUMNS, format="binary", source=stream(rows)
    )
    await connection.execute(INSERT_STAGED)
    await connection.execute(ADD_STAGED)
    await connection.execute(UNSTAGE)


async def stream(rows: Sequence[bytes]) -> AsyncIterator[bytes]:
    """Yield rows as COPY takes them, many at a time; each of the bytes has one or several."""
    yield HEADER
    piece: list[bytes] = []
    size = 0
    for each in rows:
        piece.append(each)
        size += len(each)
        if size >= PIECE:
            yield b"".join(piece)
            piece.clear()
            size = 0
    yield b"".join((*piece, TRAILER))


async def take_back(connection: Connection, tag: str, since: datetime, until: datetime) -> int:
    """Delete the rows of a source in a span, take their sums off the rollups, and return how many there were."""
    count: int = await connection.fetchval(TAKE_BACK, tag, since, until, timeout=SUM_TIMEOUT_S)
    return count


async def forget(connection: Connection, source_id: str) -> None:
    """Forget a source of which nothing is left."""
    await connection.execute(FORGET_IDS, source_id)
    await connection.execute(FORGET, source_id)


async def users_of_others(connection: Connection, tag: str, users: Sequence[str]) -> list[str]:
    """Return those of the users who have rows that a source did not bring."""
    return [row["id"] for row in await connection.fetch(USERS_OF_OTHERS, list(users), tag)]
