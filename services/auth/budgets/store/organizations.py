"""Tables `organizations` and `organization_members`."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from servicekit.postgres import database_errors
from services.auth.budgets.domain.organization import Membership, Organization
from services.auth.shared.store.unit_of_work import Connection, Pool

# Behind one that has ended since the page before, too: its row stays.
LIST_ORGANIZATIONS: Final = """
SELECT o.id, o.name, o.time_zone, o.created_at, ARRAY(
    SELECT m.user_id
    FROM auth.organization_members AS m
    WHERE m.organization_id = o.id AND m.left_at IS NULL
    ORDER BY m.joined_at, m.user_id
) AS members
FROM auth.organizations AS o
WHERE o.deleted_at IS NULL
    AND ($1 = '' OR strpos(lower(o.name), lower($1)) > 0 OR o.id = $1)
    AND ($2 = '' OR (o.created_at, o.id) > (SELECT l.created_at, l.id FROM auth.organizations AS l WHERE l.id = $2))
ORDER BY o.created_at, o.id
LIMIT $3
"""

WAS_THERE: Final = """
SELECT EXISTS (SELECT FROM auth.organizations WHERE id = $1)
"""

LIST_MEMBERSHIPS: Final = """
SELECT user_id, joined_at, left_at
FROM auth.organization_members
WHERE organization_id = $1
ORDER BY joined_at, user_id
"""

INSERT_ORGANIZATION: Final = """
INSERT INTO auth.organizations (id, name, time_zone, created_at)
VALUES ($1, $2, $3, $4)
"""

END_ORGANIZATION: Final = """
UPDATE auth.organizations
SET deleted_at = $2
WHERE id = $1 AND deleted_at IS NULL
"""

END_MEMBERSHIPS: Final = """
UPDATE auth.organization_members
SET left_at = $2
WHERE organization_id = $1 AND left_at IS NULL
"""

# Held until the commit: an organization does not end while somebody joins.
FIND_MEMBERSHIP: Final = """
SELECT organization_id
FROM auth.organization_members
WHERE user_id = $1 AND left_at IS NULL
FOR UPDATE
"""

INSERT_MEMBER: Final = """
INSERT INTO auth.organization_members (organization_id, user_id, joined_at)
VALUES ($1, $2, $3)
"""

END_MEMBERSHIP: Final = """
UPDATE auth.organization_members
SET left_at = $3
WHERE organization_id = $1 AND user_id = $2 AND left_at IS NULL
"""


class OrganizationStore:
    """Reads organizations."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def was_there(self, id: str) -> bool:
        """Tell whether there is such an organization, or was."""
        with database_errors():
            return bool(await self._pool.fetchval(WAS_THERE, id))

    async def page(self, search: str, after_id: str, limit: int) -> list[Organization]:
        """Return up to `limit` that the search fits with their members, oldest first, from behind `after_id` on."""
        with database_errors():
            rows = await self._pool.fetch(LIST_ORGANIZATIONS, search, after_id, limit)
        return [
            Organization(row["id"], row["name"], row["time_zone"], row["created_at"], tuple(row["members"]))
            for row in rows
        ]

    async def memberships(self, organization_id: str) -> list[Membership]:
        """Return who belonged to it and when, also of one that has ended."""
        with database_errors():
            rows = await self._pool.fetch(LIST_MEMBERSHIPS, organization_id)
        return [Membership(row["user_id"], row["joined_at"], row["left_at"]) for row in rows]


async def insert_organization(connection: Connection, organization: Organization) -> None:
    """Store a new one."""
    await connection.execute(
        INSERT_ORGANIZATION, organization.id, organization.name, organization.time_zone, organization.created_at
    )


async def end_organization(connection: Connection, id: str, at: datetime) -> bool:
    """End it and all memberships; tell whether there was one."""
    if await connection.execute(END_ORGANIZATION, id, at) != "UPDATE 1":
        return False
    await connection.execute(END_MEMBERSHIPS, id, at)
    return True


async def organization_of(connection: Connection, user_id: str) -> str | None:
    """Return to which organization a user belongs."""
    found: str | None = await connection.fetchval(FIND_MEMBERSHIP, user_id)
    return found


async def add_member(connection: Connection, organization_id: str, user_id: str, at: datetime) -> None:
    """Let a user belong to it from now on."""
    await connection.execute(INSERT_MEMBER, organization_id, user_id, at)


async def end_membership(connection: Connection, organization_id: str, user_id: str, at: datetime) -> bool:
    """Let a user belong to it no more; tell whether they did."""
    return bool(await connection.execute(END_MEMBERSHIP, organization_id, user_id, at) == "UPDATE 1")
