"""SQL of `usage.forecasts`, and of a user's short calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import asyncpg

from servicekit.postgres import in_pieces
from services.usage.forecasting.domain.accuracy import Kept
from services.usage.forecasting.domain.course import Band
from services.usage.forecasting.domain.prices import ModelUse
from services.usage.forecasting.domain.what_if import NEEDS_MORE, SHORT_INPUT_TOKENS, SHORT_OUTPUT_TOKENS, ShortCalls
from services.usage.store.connection import connection_of

# The first forecast of a day that somebody asked for stays, so that nobody has one that knows more of the day than it
# should. One that was kept by itself goes by the zone of an earlier question: the zone of a later one takes its place,
# else nobody who moved would ever have an accuracy. Where nothing is to be noted, no row is locked either: every look
# at a page would otherwise wait for the disk.
KEEP: Final = """
    INSERT INTO usage.forecasts (
        user_id, day, zone, method, p10_micro_rub, p50_micro_rub, p90_micro_rub, asked
    )
    SELECT $1, $2, $3, $4, $5, $6, $7, $8
    WHERE NOT EXISTS (
        SELECT
        FROM usage.forecasts
        WHERE user_id = $1
            AND day = $2
            AND asked >= $8
    )
    ON CONFLICT (user_id, day) DO UPDATE
    SET asked = true,
        zone = excluded.zone,
        method = excluded.method,
        p10_micro_rub = excluded.p10_micro_rub,
        p50_micro_rub = excluded.p50_micro_rub,
        p90_micro_rub = excluded.p90_micro_rub
    WHERE excluded.asked
        AND NOT forecasts.asked
        AND forecasts.actual_micro_rub IS NULL
"""

READ_KEPT: Final = """
    SELECT day, p10_micro_rub AS p10, p50_micro_rub AS p50, p90_micro_rub AS p90, actual_micro_rub AS actual
    FROM usage.forecasts
    WHERE user_id = $1
        AND zone = $2
        AND day >= $3
        AND actual_micro_rub IS NOT NULL
    ORDER BY day
"""

FIND_OPEN: Final = """
    SELECT user_id, day, zone
    FROM usage.forecasts
    WHERE actual_micro_rub IS NULL
        AND day < $1
    ORDER BY day, user_id
    LIMIT $2
"""

COMPARE: Final = """
    UPDATE usage.forecasts
    SET actual_micro_rub = $3
    WHERE user_id = $1
        AND day = $2
"""

# Of each user who has asked lately, the zone of the last time and the last day that is kept.
FIND_ASKERS: Final = """
    SELECT
        user_id,
        (array_agg(zone ORDER BY day DESC) FILTER (WHERE asked))[1] AS zone,
        max(day) AS last_day
    FROM usage.forecasts
    WHERE day >= $1
        AND user_id > $2
    GROUP BY user_id
    HAVING bool_or(asked)
    ORDER BY user_id
    LIMIT $3
"""

COVERAGE: Final = """
    SELECT avg((actual_micro_rub BETWEEN p10_micro_rub AND p90_micro_rub)::integer)::float8
    FROM usage.forecasts
    WHERE day >= $1
        AND actual_micro_rub IS NOT NULL
"""

FORGET: Final = """
    DELETE FROM usage.forecasts
    WHERE (user_id, day) IN (
        SELECT user_id, day
        FROM usage.forecasts
        WHERE day < $1
        ORDER BY day
        LIMIT $2
        FOR UPDATE SKIP LOCKED
    )
"""
FORGET_PEOPLE: Final = "DELETE FROM usage.forecasts WHERE user_id = ANY($1::text[])"

# What another model would take for lines of batches, if anything less than its price, nobody knows here.
SHORT_CALLS: Final = """
    SELECT
        model, count(*) AS requests,
        sum(tokens_input)::bigint AS tokens_input,
        sum(tokens_output)::bigint AS tokens_output,
        sum(tokens_cached)::bigint AS tokens_cached,
        (sum(cost) * 1000000)::bigint AS cost_micro_rub
    FROM usage.usage
    WHERE user_id = $1
        AND created_at >= $2
        AND created_at < $3
        AND tokens_input < $4
        AND tokens_output < $5
        AND finish_reason = 'stop'
        AND traits & $7 = 0
        AND price_version NOT LIKE '%+batch%'
        AND endpoint <> 'embeddings'
        AND cache_status <> 'hit'
        AND model <> $6
    GROUP BY model
"""

# One instance at a time does the job; the others find nothing to do an hour later.
ALONE: Final = "SELECT pg_try_advisory_xact_lock(hashtext('usage.forecasts'))"


@dataclass(frozen=True, slots=True)
class OpenForecast:
    """A forecast of a day that has not been compared with its spending yet."""

    user_id: str
    day: date
    zone: str


@dataclass(frozen=True, slots=True)
class Asker:
    """A user who asked for a forecast recently, the time zone, and the last day that is stored."""

    user_id: str
    zone: str
    last_day: date


class ForecastStore:
    """The kept forecasts in PostgreSQL. Each method raises `Unavailable` while it cannot be reached."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool

    async def keep(self, kept: OpenForecast, method: str, band: Band, *, asked: bool) -> None:
        """Keep what is foretold of a day, once; later only that its user asked."""
        async with connection_of(self._pool, kept.user_id) as connection:
            values = (kept.user_id, kept.day, kept.zone, method, band.p10, band.p50, band.p90, asked)
            await connection.execute(KEEP, *values)

    async def read_kept(self, user_id: str, zone: str, since: date) -> list[Kept]:
        """Return what was foretold of days that are over and what came, in order."""
        async with connection_of(self._pool, user_id) as connection:
            return [Kept(*row.values()) for row in await connection.fetch(READ_KEPT, user_id, zone, since)]

    async def find_open(self, before: date, limit: int) -> list[OpenForecast]:
        """Return forecasts of days before one that are not compared yet, the oldest first."""
        async with connection_of(self._pool) as connection:
            return [OpenForecast(*row.values()) for row in await connection.fetch(FIND_OPEN, before, limit)]

    async def compare(self, forecast: OpenForecast, actual_micro_rub: int) -> None:
        """Note what the day has cost."""
        async with connection_of(self._pool, forecast.user_id) as connection:
            await connection.execute(COMPARE, forecast.user_id, forecast.day, actual_micro_rub)

    async def find_askers(self, since: date, after: str, limit: int) -> list[Asker]:
        """Return who has asked since a day, by user id, those behind `after`."""
        async with connection_of(self._pool) as connection:
            return [Asker(*row.values()) for row in await connection.fetch(FIND_ASKERS, since, after, limit)]

    async def coverage(self, since: date) -> float | None:
        """Return the share of all users' days since one that were inside their band; None: none is compared."""
        async with connection_of(self._pool) as connection:
            share: float | None = await connection.fetchval(COVERAGE, since)
            return share

    async def forget(self, before: date) -> None:
        """Delete forecasts of days before one."""
        async with connection_of(self._pool) as connection:
            await in_pieces(connection, FORGET, before)

    async def forget_people(self, user_ids: Sequence[str]) -> None:
        """Delete the forecasts of those whose accounts are gone: nobody asks for them, and no more are made."""
        async with connection_of(self._pool) as connection:
            await connection.execute(FORGET_PEOPLE, user_ids)

    async def short_calls(self, user_id: str, since: datetime, until: datetime, other: str) -> ShortCalls:
        """Return the short calls of a user in a span, those to the other model left out."""
        async with connection_of(self._pool, user_id) as connection:
            values = (user_id, since, until, SHORT_INPUT_TOKENS, SHORT_OUTPUT_TOKENS, other, NEEDS_MORE)
            rows = await connection.fetch(SHORT_CALLS, *values)
        uses = [ModelUse(**{name: value for name, value in row.items() if name != "requests"}) for row in rows]
        return ShortCalls(sum(row["requests"] for row in rows), tuple(uses))

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[bool]:
        """Yield whether this instance may do the job now; it alone may while the block lasts."""
        async with connection_of(self._pool) as connection, connection.transaction():
            yield bool(await connection.fetchval(ALONE))
