"""What is forgotten with an account: what was found of it, and what its owner said of that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import asyncpg

from services.usage.domain.forgetting import Forget
from services.usage.insights.store.sessions import Sessions

# Advice names keys as their owner called them, and says why it was dismissed. The row that an analysis locks goes
# first: one that is under way is waited for, and what it found goes with the rest.
FORGET_USERS: Final = "DELETE FROM usage.insight_users WHERE user_id = ANY($1::text[])"
FORGET_RECOMMENDATIONS: Final = "DELETE FROM usage.recommendations WHERE user_id = ANY($1::text[])"
FORGET_INCIDENTS: Final = "DELETE FROM usage.incidents WHERE user_id = ANY($1::text[])"


def forgetting_insights(pool: asyncpg.Pool[asyncpg.Record]) -> Forget:
    """Return what forgets the insights of deleted accounts; it raises `Unavailable` while PostgreSQL cannot be used."""
    sessions = Sessions(pool)

    async def forget(user_ids: Sequence[str]) -> None:
        async with sessions.of_everybody() as connection:
            await connection.execute(FORGET_USERS, user_ids)
            await connection.execute(FORGET_RECOMMENDATIONS, user_ids)
            await connection.execute(FORGET_INCIDENTS, user_ids)

    return forget
