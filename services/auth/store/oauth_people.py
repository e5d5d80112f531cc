"""What table `users` knows of a person."""

from __future__ import annotations

from typing import Final

from servicekit.postgres import database_errors
from services.auth.domain.person import Person
from services.auth.domain.tier import Tier
from services.auth.store.transactions import Pool

FIND_PERSON: Final = """
SELECT id, email, tier, updated_at
FROM auth.users
WHERE id = $1
"""


class PeopleStore:
    """The holders of accounts, as far as their e-mail and tier go."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, user_id: str) -> Person | None:
        """Return who has this account; None when there is none."""
        with database_errors():
            row = await self._pool.fetchrow(FIND_PERSON, user_id)
        return None if row is None else Person(row["id"], row["email"], Tier(row["tier"]), row["updated_at"])
