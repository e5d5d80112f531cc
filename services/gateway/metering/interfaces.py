"""What metering needs of others; admission and the usage client fit, tests bring their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol

from services.gateway.metering.usage_record import Hold, Rejected, Ticket, UsageRecord

Record = Callable[[Sequence[UsageRecord]], Awaitable[Sequence[Rejected]]]
"""usage.Record: stores a batch once and returns what can never be stored.

Raises InvalidRequest when the whole batch is refused; anything else it raises means "try again later".
"""


class Settles(Protocol):
    """Admission, as metering sees it."""

    async def settle(self, ticket: Ticket, tokens: int, cost_micro_rub: int) -> None:
        """Turn the hold into the cost; idempotent, never raises, bounded."""
        ...


class FindsHolds(Protocol):
    """The holds of all users in Redis."""

    def expired(self, *, older_than_s: float) -> AsyncIterator[Hold]:
        """Yield holds without an owner."""
        ...

    def all(self) -> AsyncIterator[Hold]:
        """Yield every hold."""
        ...
