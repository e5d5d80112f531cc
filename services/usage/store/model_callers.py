"""Reads who has called models, from the daily rollup."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

from services.usage.domain.model_caller import ModelCaller
from services.usage.store.connection import Connection

FIND_MODEL_CALLERS: Final = """
    SELECT model, user_id, key_id, grant_id, sum(requests)::bigint AS requests, max(day) AS last_day
    FROM usage.rollup_day
    WHERE day >= $1 AND model = ANY($2::text[])
    GROUP BY model, user_id, key_id, grant_id
    HAVING sum(requests) > 0
    ORDER BY requests DESC, model, user_id, key_id, grant_id
    LIMIT $3
"""


async def find(connection: Connection, models: Sequence[str], since: date, limit: int) -> list[ModelCaller]:
    """Return who has called any of the models from a day on, most requests first."""
    rows = await connection.fetch(FIND_MODEL_CALLERS, since, list(models), limit)
    return [ModelCaller(**dict(row)) for row in rows]
