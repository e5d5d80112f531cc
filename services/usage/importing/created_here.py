"""Requests made here since an import began: what a return to the source needs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from services.usage.store import UsageStore

CREATED_SINCE: Final = """
SELECT id::text, user_id, provider, model, tokens_input, tokens_output, cost, created_at
FROM usage.usage
WHERE source <> 'imported' AND created_at >= $1
ORDER BY created_at, id
"""


@dataclass(frozen=True, slots=True)
class CreatedRequest:
    """A request, as far as the source has columns for it; cost in roubles."""

    id: str
    user_id: str
    provider: str
    model: str
    tokens_input: int
    tokens_output: int
    cost: Decimal
    created_at: datetime


async def created_since(store: UsageStore, since: datetime) -> AsyncIterator[CreatedRequest]:
    """Yield all requests that were not imported, oldest first; few are in memory at once.

    Raises:
        Unavailable: the database cannot be used now.
    """
    async with store.transaction() as transaction:
        async for row in transaction.connection.cursor(CREATED_SINCE, since):
            yield CreatedRequest(*row)
