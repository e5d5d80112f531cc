"""What metering needs of others; admission and the usage client fit, tests bring their own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from services.gateway.metering.hold import Hold, Ticket
from services.gateway.metering.usage_record import Rejected, UsageRecord

SendRecords = Callable[[Sequence[UsageRecord]], Awaitable[Sequence[Rejected]]]
"""usage.Record: stores a batch once and returns what can never be stored.

Raises InvalidRequest when the whole batch is refused; anything else it raises means "try again later".
"""

Explain = Callable[[UsageRecord], str]
"""From the row of a request to the text that is kept of it for a while; it never raises."""

CountRow = Callable[[UsageRecord], None]
"""Adds a row to what is counted of tokens and money; it never raises."""


class SettlesHolds(Protocol):
    """Admission, as metering sees it."""

    async def settle(self, ticket: Ticket, tokens: int, cost_micro_rub: int, explanation: str = "") -> None:
        """Turn the hold into the cost, keep the explanation; idempotent, never raises, bounded."""
        ...


class FindsHolds(Protocol):
    """The holds of all users, and what is known of requests; all raise `Unavailable` while nobody can say."""

    def expired(self, *, older_than_s: float) -> AsyncIterator[Hold]:
        """Yield holds without an owner."""
        ...

    def all(self) -> AsyncIterator[Hold]:
        """Yield every hold."""
        ...

    def forsaken(self, *, older_than_s: float) -> AsyncIterator[Ticket]:
        """Yield what is held in an organization's name for a request that is not held itself."""
        ...

    async def kept_bill(self, user_id: str, request_id: str) -> bytes | None:
        """Return what was kept together with the answer of a request that has an idempotency key."""
        ...


class ElectsLeader(Protocol):
    """Lets one gateway at a time do a chore."""

    def elected(self, chore: str, *, timeout_s: float) -> AbstractAsyncContextManager[bool]:
        """Yield whether this process may do it now; raises `Unavailable` or `TimeoutError`."""
        ...
