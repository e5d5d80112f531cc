"""Table `shut_accounts`: accounts disabled by an administrator."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from services.usage.notifications.store.sessions import Sessions

OPEN: Final = """
DELETE FROM usage.shut_accounts
WHERE user_id = ANY($1::text[])
RETURNING user_id
"""
# In one order: two gateways that tell of the same do not wait for each other.
SHUT: Final = """
INSERT INTO usage.shut_accounts (user_id, told_at)
SELECT DISTINCT user_id, $2::timestamptz
FROM unnest($1::text[]) AS user_id
ORDER BY user_id
ON CONFLICT (user_id) DO NOTHING
RETURNING user_id
"""
# In each round: also what was raised at the very moment. As of a channel that was switched off: an account that is open
# again is not sent what was news weeks ago.
CANCEL: Final = """
UPDATE usage.notification_deliveries AS delivery
SET state = 'cancelled'
FROM usage.notification_channels AS channel
WHERE channel.user_id = ANY($1::text[]) AND delivery.channel_id = channel.id AND delivery.state = 'pending'
"""


class ShutStore:
    """Disabled accounts; all others are enabled."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def put(self, shut: Sequence[str], others: Sequence[str], now: datetime) -> tuple[list[str], list[str]]:
        """Store who is shut and that others are not, and cancel what waits for the first; return whom it was news of.

        Of whom nothing is said, nothing changes.
        """
        async with self._sessions.of_everybody() as connection:
            opened = [row["user_id"] for row in await connection.fetch(OPEN, others)]
            if not shut:
                return [], opened
            closed = [row["user_id"] for row in await connection.fetch(SHUT, shut, now)]
            await connection.execute(CANCEL, shut)
        return closed, opened
