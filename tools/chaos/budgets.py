"""Budgets after the storm: every counter against the rows of its span, every hard limit against what was spent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import asyncpg
from redis.asyncio import Redis

from services.gateway.admission.keys import BUDGETS_PATTERN, CountedSpan, parse_budget_key

_SINCE: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UNTIL: Final = datetime(9999, 12, 30, tzinfo=UTC)
_SUM: Final = """
SELECT coalesce(sum(cost) * 1000000, 0)::bigint AS spent
FROM usage.usage AS u
WHERE created_at >= $3 AND created_at < $4
  AND CASE $1
    WHEN 'user' THEN user_id = $2
    WHEN 'key' THEN key_id = $2
    WHEN 'grant' THEN grant_id = $2
    ELSE EXISTS (
      SELECT FROM auth.organization_members AS m
      WHERE m.organization_id = $2 AND m.user_id = u.user_id AND m.joined_at <= u.created_at
    )
  END
"""
# What the bills of an account's rows exceed their holds by is flagged in them.
_OVERDRAWN: Final = """
SELECT b.subject, (sum(u.cost) * 1000000)::bigint - b.amount - sum(u.over_hold_micro_rub)::bigint AS over
FROM auth.budgets AS b
JOIN usage.usage AS u ON b.subject = 'user:' || u.user_id
WHERE b.mode = 'hard' AND b.period = 'total'
GROUP BY b.id, b.subject, b.amount
"""


@dataclass(frozen=True, slots=True)
class BudgetBooks:
    """How many counters of which owners were compared, which differ, and by how much limits were overdrawn."""

    compared: Mapping[str, int]
    differences: tuple[str, ...]
    overdrawn: Mapping[str, int]


async def read_budgets(redis: Redis, database: asyncpg.Pool) -> BudgetBooks:
    """Compare every budget counter in Redis with the rows of its subject in its span."""
    compared: dict[str, int] = {}
    differences = []
    async for raw in redis.scan_iter(match=BUDGETS_PATTERN, count=1000, _type="hash"):
        key = raw.decode()
        span = parse_budget_key(key)
        kind = span.subject.partition(":")[0]
        compared[kind] = compared.get(kind, 0) + 1
        difference = await _difference(redis, database, key, span)
        if difference:
            differences.append(difference)
    return BudgetBooks(compared, tuple(differences), await _overdrawn(database))


async def _difference(redis: Redis, database: asyncpg.Pool, key: str, span: CountedSpan) -> str:
    counters: Any = redis.hmget(key, ["u", "h"])
    used, held = (int(float(value or 0)) for value in await counters)
    kind, _, name = span.subject.partition(":")
    spent = await database.fetchval(_SUM, kind, name, span.since or _SINCE, span.until or _UNTIL)
    return "" if (used, held) == (spent, 0) else f"{key}: counted {used}, held {held}, rows {spent}"


async def _overdrawn(database: asyncpg.Pool) -> dict[str, int]:
    """Return by how many micro-roubles lifetime limits were exceeded beyond what rows have flagged."""
    return {row["subject"]: row["over"] for row in await database.fetch(_OVERDRAWN) if row["over"] > 0}
