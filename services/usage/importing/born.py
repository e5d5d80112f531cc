"""born_since: requests that were made here, for an installation that is to be gone back to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from services.usage.store import UsageStore

BORN: Final = """
SELECT id::text, user_id, provider, model, tokens_input, tokens_output, cost, created_at
FROM usage.usage
WHERE source <> 'imported' AND created_at >= $1
ORDER BY created_at, id
"""


@dataclass(frozen=True, slots=True)
class BornRequest:
    """What another installation can hold of a request; cost in roubles."""

    id: str
    user_id: str
    provider: str
    model: str
    tokens_input: int
    tokens_output: int
    cost: Decimal
    created_at: datetime


async def born_since(store: UsageStore, since: datetime) -> AsyncIterator[BornRequest]:
    """Yield all requests that no import brought, in the order of their times; few are in memory at once.

    Raises:
        Unavailable: the database cannot be used now.
    """
    async with store.transaction() as transaction:
        async for row in transaction.connection.cursor(BORN, since):
            yield BornRequest(*row)
