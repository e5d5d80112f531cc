"""What was spent, and what one request cost."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from servicekit.errors import ErrorReason, NotFound
from services.usage.domain.record import UsageRecord
from services.usage.domain.spend import Spend, parse_subject, span_of
from services.usage.store import UsageStore


class Spending:
    """Answers questions about stored requests."""

    def __init__(self, store: UsageStore) -> None:
        self._store = store

    async def sum_between(
        self, user_id: str, subject: str, since: datetime | None, until: datetime | None = None
    ) -> Spend:
        """Return what the subject spent from one moment until before another; None: without that end.

        Raises:
            InvalidRequest: the subject is malformed or another user.
        """
        return await self._store.sum_spend(parse_subject(user_id, subject), span_of(since, until))

    async def find_request(self, user_id: str, request_id: str) -> UsageRecord:
        """Return one request of this user.

        Raises:
            NotFound: it is absent or someone else's.
        """
        found = None
        if _is_uuid(request_id) and "\0" not in user_id:
            found = await self._store.find_of_user(user_id, request_id)
        if found is None:
            raise NotFound(ErrorReason.NOT_FOUND, "No such request.", param="id")
        return found


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return len(text) == 36
