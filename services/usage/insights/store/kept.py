"""What was found, as it is kept; and who is to be analysed, each user by one instance at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

import msgspec

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


NEXT_USER: Final = """
    SELECT user_id
    FROM usage.insight_users
    WHERE analysed_day < $1
        AND active_day >= $2
        AND user_id > $3
    ORDER BY user_id
    LIMIT 1
"""


async def next_user(connection: Connection, today: date, active_since: date, after: str) -> str | None:
    """Return the first user behind `after` who is not analysed today."""
    user_id: str | None = await connection.fetchval(NEXT_USER, today, active_since, after)
    return user_id


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
    """Return when the last analysis was, if on that day or later, and what it found."""
    row = await connection.fetchrow(READ, user_id, since)
    return None if row is None else (row["analysed_at"], _decode(row["findings"]))
