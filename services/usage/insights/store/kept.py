"""Stored findings, and the list of users to analyse; each user is analysed by one instance at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from servicekit.postgres import sql
from services.usage.insights.domain.anomaly import IMPACT_MICRO_RUB
from services.usage.insights.domain.finding import Found
from services.usage.store.connection import Connection

LEAST_REQUESTS: Final = 20
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(tuple[Found, ...]).decode

# Whoever did enough lately for anything to show; the others are analysed when they ask. A stored day never goes back.
ENROL: Final = """
    INSERT INTO usage.insight_users AS stored (user_id, active_day)
    SELECT user_id, max(day)
    FROM usage.rollup_day
    WHERE day >= $1
    GROUP BY user_id
    HAVING sum(requests) >= $2 OR sum(cost_micro_rub) >= $3
    ORDER BY user_id
    ON CONFLICT (user_id) DO UPDATE
    SET active_day = excluded.active_day
    WHERE stored.active_day < excluded.active_day
"""


async def enrol(connection: Connection, since: date) -> None:
    """Note everybody who has had twenty requests, or spent a hundred roubles, since a day."""
    await connection.execute(ENROL, since, LEAST_REQUESTS, IMPACT_MICRO_RUB)


# What the gateway told of people whom notifications write to, or the zone of the last forecast.
_ZONE: Final = """
    coalesce(
        (SELECT time_zone FROM usage.notification_people AS person WHERE person.user_id = stored.user_id),
        (SELECT zone FROM usage.forecasts AS asked WHERE asked.user_id = stored.user_id ORDER BY day DESC LIMIT 1),
        'UTC'
    )
"""

FIND_CANDIDATES: Final = sql(
    """
    SELECT user_id, {zone} AS zone, analysed_day
    FROM usage.insight_users AS stored
    WHERE analysed_day < $1
        AND active_day >= $2
        AND user_id > $3
    ORDER BY user_id
    LIMIT 200
    """,
    zone=_ZONE,
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A user who may be due for analysis: their time zone, and the day of their last analysis."""

    user_id: str
    zone: ZoneInfo
    analysed_day: date


async def find_candidates(connection: Connection, before: date, active_since: date, after: str) -> list[Candidate]:
    """Return some users behind `after`, by id, who were not analysed on a day or later."""
    rows = await connection.fetch(FIND_CANDIDATES, before, active_since, after)
    return [Candidate(row["user_id"], _known(row["zone"]), row["analysed_day"]) for row in rows]


FIND_ZONE: Final = sql("SELECT {zone} FROM (VALUES ($1)) AS stored (user_id)", zone=_ZONE)


async def find_zone(connection: Connection, user_id: str) -> ZoneInfo:
    """Return the zone in which a user's days are judged; UTC for somebody of whom none is known."""
    return _known(await connection.fetchval(FIND_ZONE, user_id))


def _known(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return ZoneInfo("UTC")


CLAIM: Final = """
    SELECT user_id
    FROM usage.insight_users
    WHERE user_id = $1
        AND analysed_day < $2
    FOR UPDATE SKIP LOCKED
"""


async def claim(connection: Connection, user_id: str, today: date) -> bool:
    """Lock a user; tell whether they are not analysed today and no other instance is at it."""
    return await connection.fetchval(CLAIM, user_id, today) is not None


LOCK: Final = """
    INSERT INTO usage.insight_users AS stored (user_id, active_day)
    VALUES ($1, $2)
    ON CONFLICT (user_id) DO UPDATE
    SET active_day = stored.active_day
    RETURNING analysed_day
"""


async def lock(connection: Connection, user_id: str, today: date) -> date:
    """Lock one user, waiting for who has them; return the day of the last analysis."""
    day: date = await connection.fetchval(LOCK, user_id, today)
    return day


KEEP: Final = """
    UPDATE usage.insight_users
    SET analysed_day = $2, analysed_at = $3, findings = $4::jsonb
    WHERE user_id = $1
"""


async def keep(connection: Connection, user_id: str, today: date, now: datetime, findings: Sequence[Found]) -> None:
    """Keep what was found now in place of what was found before."""
    await connection.execute(KEEP, user_id, today, now, _encode(tuple(findings)).decode())


READ: Final = """
    SELECT analysed_at, findings::text
    FROM usage.insight_users
    WHERE user_id = $1
        AND analysed_day >= $2
"""


async def read(connection: Connection, user_id: str, since: date) -> tuple[datetime, tuple[Found, ...]] | None:
    """Return when the last analysis was, if on that day or later, and what it found.

    None, too, where only the version that analysed can read it.
    """
    row = await connection.fetchrow(READ, user_id, since)
    try:
        return None if row is None else (row["analysed_at"], _decode(row["findings"]))
    except msgspec.DecodeError:
        return None
