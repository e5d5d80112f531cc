"""The table of incidents, and the query for the cause of a spike."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo

import asyncpg

from servicekit.postgres import sql
from services.usage.insights.domain.anomaly import MISSES, Cause
from services.usage.insights.domain.incident import Feedback, Grain, Incident
from services.usage.insights.store.sessions import SCAN_TIMEOUT_S
from services.usage.statistics.domain.query import Bucket, Query
from services.usage.statistics.store.statistics_store import answer
from services.usage.store.connection import Connection

Span: TypeAlias = tuple[datetime, datetime]
"""When it begins, and when it is over."""


async def read_costs(connection: Connection, user_id: str, zone: ZoneInfo, since: date, until: date) -> list[int]:
    """Return what each day of a zone cost, from `since` until before `until`, empty days too."""
    begin, end = (datetime.combine(day, time(), zone) for day in (since, until))
    rows = await answer(connection, Query(user_id, begin, end, zone.key, Bucket.DAY))
    found = {row.starts_at.astimezone(zone).date(): row.figures.cost_micro_rub for row in rows if row.starts_at}
    return [found.get(since + timedelta(days=number), 0) for number in range((until - since).days)]


# Hours of everybody that cost enough to matter: few.
FIND_DEAR_HOURS: Final = """
    SELECT
        dear.user_id, dear.hour, dear.cost_micro_rub,
        coalesce((
            SELECT sum(cost_micro_rub)
            FROM usage.rollup_day
            WHERE rollup_day.user_id = dear.user_id
                AND day >= ($1 AT TIME ZONE 'UTC')::date - $3::int
                AND day < ($1 AT TIME ZONE 'UTC')::date
        ), 0)::bigint AS cost_of_days,
        (SELECT min(day) FROM usage.rollup_day WHERE rollup_day.user_id = dear.user_id AND requests > 0) AS first_day
    FROM (
        SELECT user_id, hour, sum(cost_micro_rub)::bigint AS cost_micro_rub
        FROM usage.rollup_hour_user
        WHERE hour >= $1
        GROUP BY user_id, hour
        HAVING sum(cost_micro_rub) >= $2
    ) AS dear
"""


async def find_dear_hours(connection: Connection, since: datetime, least_micro_rub: int) -> list[dict[str, Any]]:
    """Return the hours since one that cost so much, with what all days of the weeks before did."""
    rows = await connection.fetch(FIND_DEAR_HOURS, since, least_micro_rub, MISSES)
    return [dict(row) for row in rows]


# One look at the primary key.
READ_HOURS_OF_WEEKS: Final = """
    SELECT hour, sum(cost_micro_rub)::bigint AS cost_micro_rub
    FROM usage.rollup_hour_user
    WHERE user_id = $1
        AND hour = ANY($2)
    GROUP BY hour
"""


async def read_hours(connection: Connection, user_id: str, hours: Sequence[datetime]) -> list[float]:
    """Return what each of some hours cost, those without requests too."""
    rows = await connection.fetch(READ_HOURS_OF_WEEKS, user_id, hours)
    found = {row["hour"]: row["cost_micro_rub"] for row in rows}
    return [float(found.get(hour, 0)) for hour in hours]


# The span itself and the same one of the last weeks; errors only where there are any.
FIND_CAUSES: Final = """
    WITH rows AS (
        SELECT span.begins_at, key_id, model, provider, error_code, cost
        FROM unnest($2::timestamptz[], $3::timestamptz[]) AS span (begins_at, ends_at)
        JOIN usage.usage
            ON user_id = $1
            AND created_at >= span.begins_at
            AND created_at < span.ends_at
    )
    SELECT
        dimension, value,
        (coalesce(sum(cost) FILTER (WHERE begins_at <> $4), 0) * 1000000 / $5)::bigint AS expected_micro_rub,
        (coalesce(sum(cost) FILTER (WHERE begins_at = $4), 0) * 1000000)::bigint AS actual_micro_rub
    FROM rows
    CROSS JOIN LATERAL (
        VALUES ('key', key_id), ('model', model), ('provider', provider), ('error', error_code)
    ) AS named (dimension, value)
    WHERE value <> ''
    GROUP BY dimension, value
"""


async def find_causes(connection: Connection, user_id: str, span: Span, before: Sequence[Span]) -> list[Cause]:
    """Return what each key, model, provider and error cost in a span, and in a mean one of those before."""
    begins, ends = zip(span, *before, strict=True)
    values = (user_id, begins, ends, span[0], len(before))
    return [Cause(*row.values()) for row in await connection.fetch(FIND_CAUSES, *values, timeout=SCAN_TIMEOUT_S)]


# Found again it is brought up to date: an hour goes on, late rows arrive. What the user said stays. A row that was
# inserted, and not updated, has no xmax.
ADD: Final = """
    INSERT INTO usage.incidents (
        id, user_id, grain, begins_at, ends_at, expected_micro_rub, actual_micro_rub, cause_dimension, cause_value,
        cause_expected_micro_rub, cause_actual_micro_rub, found_at, zone
    )
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
    ON CONFLICT (user_id, grain, begins_at) DO UPDATE
    SET ends_at = excluded.ends_at,
        expected_micro_rub = excluded.expected_micro_rub,
        actual_micro_rub = excluded.actual_micro_rub,
        cause_dimension = excluded.cause_dimension,
        cause_value = excluded.cause_value,
        cause_expected_micro_rub = excluded.cause_expected_micro_rub,
        cause_actual_micro_rub = excluded.cause_actual_micro_rub
    RETURNING xmax = 0
"""


async def put(connection: Connection, incident: Incident) -> bool:
    """Keep an incident, new or as it is now; tell whether it is new."""
    cause = incident.cause
    is_new: bool = await connection.fetchval(
        ADD,
        incident.id,
        incident.user_id,
        incident.grain.value,
        incident.begins_at,
        incident.ends_at,
        incident.expected_micro_rub,
        incident.actual_micro_rub,
        cause.dimension,
        cause.value,
        cause.expected_micro_rub,
        cause.actual_micro_rub,
        incident.found_at,
        incident.zone,
    )
    return is_new


_COLUMNS: Final = """
    id::text, user_id, grain, begins_at, ends_at, expected_micro_rub, actual_micro_rub, cause_dimension, cause_value,
    cause_expected_micro_rub, cause_actual_micro_rub, found_at, feedback, zone
"""

READ: Final = sql(
    """
    SELECT {columns}
    FROM usage.incidents
    WHERE user_id = $1
        AND ends_at > $2
        AND begins_at < $3
    ORDER BY begins_at DESC, grain
    LIMIT $4
    """,
    columns=_COLUMNS,
)


async def read(
    connection: Connection, user_id: str, since: datetime, until: datetime, limit: int = 1000
) -> list[Incident]:
    """Return the incidents that touch a span, the newest first."""
    return [_incident(row) for row in await connection.fetch(READ, user_id, since, until, limit)]


SAY: Final = sql(
    """
    UPDATE usage.incidents
    SET feedback = $3, feedback_at = $4
    WHERE id = $1
        AND user_id = $2
    RETURNING {columns}
    """,
    columns=_COLUMNS,
)


async def say(
    connection: Connection, user_id: str, incident: str, feedback: Feedback, now: datetime
) -> Incident | None:
    """Keep what the user says of an incident; None: they have none such."""
    row = await connection.fetchrow(SAY, incident, user_id, feedback.value, now)
    return None if row is None else _incident(row)


def _incident(row: asyncpg.Record) -> Incident:
    return Incident(
        id=row["id"],
        user_id=row["user_id"],
        grain=Grain(row["grain"]),
        begins_at=row["begins_at"],
        ends_at=row["ends_at"],
        expected_micro_rub=row["expected_micro_rub"],
        actual_micro_rub=row["actual_micro_rub"],
        cause=Cause(
            row["cause_dimension"], row["cause_value"], row["cause_expected_micro_rub"], row["cause_actual_micro_rub"]
        ),
        found_at=row["found_at"],
        feedback=Feedback(row["feedback"]),
        zone=row["zone"],
    )
