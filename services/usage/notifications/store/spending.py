"""Reads spending and calls from the usage rows and rollups."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

from services.usage.domain.spend import Spend, parse_subject, span_of
from services.usage.notifications.domain.person import Membership
from services.usage.notifications.store.sessions import Sessions
from services.usage.store import spend

CALLS: Final = """
SELECT model, sum(requests)::bigint AS requests
FROM usage.rollup_day
WHERE user_id = $1 AND day >= $2 AND model = ANY($3::text[])
GROUP BY model
HAVING sum(requests) > 0
"""


class SpendingReader:
    """Sums of one user."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def spent(self, user_id: str, subject: str, since: datetime | None, until: datetime | None = None) -> Spend:
        """Return what a subject spent from one moment until before another.

        Raises:
            InvalidRequest: the subject is none of the user's.
        """
        whose, span = parse_subject(user_id, subject), span_of(since, until)
        async with self._sessions.of(user_id) as connection:
            return await spend.sum_spend(connection, whose, span)

    async def first_day(self, user_id: str, subject: str) -> date | None:
        """Return the first UTC day on which a subject asked for anything; None: it never did.

        Raises:
            InvalidRequest: the subject is none of the user's.
        """
        whose = parse_subject(user_id, subject)
        async with self._sessions.of(user_id) as connection:
            return await spend.first_day(connection, whose)

    async def spent_by(self, members: Sequence[Membership], since: datetime | None, until: datetime | None) -> int:
        """Return what the members of an organization spent while they belonged to it, in micro-roubles."""
        parts = [
            (parse_subject(each.user_id, f"user:{each.user_id}").user_id, span_of(*part))
            for each in members
            if (part := each.part_of(since, until))
        ]
        async with self._sessions.of_everybody() as connection:
            return await spend.sum_of_users(connection, parts)

    async def calls(self, user_id: str, models: Sequence[str], since: date) -> dict[str, int]:
        """Return how often the user called each of some models since a UTC day; never: it is left out."""
        async with self._sessions.of(user_id) as connection:
            rows = await connection.fetch(CALLS, user_id, since, models)
        return {row["model"]: row["requests"] for row in rows}
