"""Table `budgets`, for those who manage caps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from servicekit.postgres import database_errors, sql
from services.auth.budgets.domain.cap import Cap, Owner, Source
from services.auth.shared.domain.budget import CapMode
from services.auth.shared.store.caps import SHARED_SUBJECT
from services.auth.shared.store.unit_of_work import Connection, Pool

CAP_COLUMNS: Final = """
    b.id, b.user_id, b.subject, b.measure, b.period, b.models, b.amount, b.mode, b.by_admin, b.created_at, b.updated_at
"""

# What was set for the user, and for the organization that they belong to.
LIST_CAPS: Final = sql(
    """
WITH shared AS MATERIALIZED ({shared})
SELECT {cap}, 'set' AS source, u.time_zone
FROM auth.budgets AS b
JOIN auth.users AS u ON u.id = b.user_id
WHERE b.user_id = $1
UNION ALL
SELECT {cap}, 'set', shared.time_zone
FROM shared
JOIN auth.budgets AS b ON b.subject = shared.subject
ORDER BY created_at, id
""",
    cap=CAP_COLUMNS,
    shared=SHARED_SUBJECT,
)

# What came with keys and grants that still count.
LIST_OWN: Final = """
SELECT DISTINCT ON (id) *
FROM (
    SELECT 'key:' || k.lineage_id AS id, k.user_id, 'key:' || k.lineage_id AS subject, k.budget_period AS period,
           k.budget_micro_rub AS amount, 'key' AS source, u.time_zone
    FROM auth.api_keys AS k
    JOIN auth.users AS u ON u.id = k.user_id
    WHERE k.user_id = $1 AND k.budget_period IS NOT NULL AND k.revoked_at IS NULL
      AND (k.expires_at IS NULL OR k.expires_at > $2)
    UNION ALL
    SELECT 'grant:' || g.consent_id, g.user_id, 'grant:' || g.consent_id, g.budget_period, g.budget_micro_rub, 'grant',
           u.time_zone
    FROM auth.oauth_grants AS g
    JOIN auth.users AS u ON u.id = g.user_id
    WHERE g.user_id = $1 AND g.budget_period IS NOT NULL AND g.revoked_at IS NULL
      AND (g.expires_at IS NULL OR g.expires_at > $2)
) AS own
ORDER BY id
"""

LIST_OF_ORGANIZATION: Final = sql(
    """
SELECT {cap}, 'set' AS source, o.time_zone
FROM auth.organizations AS o
JOIN auth.budgets AS b ON b.subject = 'organization:' || $1
WHERE o.id = $1 AND o.deleted_at IS NULL
ORDER BY b.created_at, b.id
""",
    cap=CAP_COLUMNS,
)

HOLD_CAP: Final = sql(
    """
SELECT {cap}, 'set' AS source, coalesce(u.time_zone, o.time_zone) AS time_zone
FROM auth.budgets AS b
LEFT JOIN auth.users AS u ON u.id = b.user_id
LEFT JOIN auth.organizations AS o ON 'organization:' || o.id = b.subject
WHERE b.id = $1
FOR UPDATE OF b
""",
    cap=CAP_COLUMNS,
)

COUNT_CAPS: Final = """
SELECT count(*)
FROM auth.budgets
WHERE user_id = $1 OR subject = $2
"""

INSERT_CAP: Final = """
INSERT INTO auth.budgets
    (id, user_id, subject, measure, period, models, amount, mode, by_admin, created_at, updated_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
"""

UPDATE_CAP: Final = """
UPDATE auth.budgets
SET amount = $2, mode = $3, updated_at = $4
WHERE id = $1
"""

DELETE_CAP: Final = """
DELETE FROM auth.budgets
WHERE id = $1
"""

DELETE_OF_SUBJECT: Final = """
DELETE FROM auth.budgets
WHERE subject = $1
"""

FIND_USER: Final = """
SELECT id AS user_id, id AS name, time_zone
FROM auth.users
WHERE id = $1 AND deleted_at IS NULL
"""

FIND_KEY: Final = """
SELECT k.user_id, k.lineage_id AS name, u.time_zone
FROM auth.api_keys AS k
JOIN auth.users AS u ON u.id = k.user_id
WHERE k.id = $1 AND k.revoked_at IS NULL
"""

FIND_GRANT: Final = """
SELECT g.user_id, g.consent_id AS name, u.time_zone
FROM auth.oauth_grants AS g
JOIN auth.users AS u ON u.id = g.user_id
WHERE g.id = $1 AND g.revoked_at IS NULL
"""

# Whoever sets another one of it at the same time waits, and so does whoever ends it.
FIND_ORGANIZATION: Final = """
SELECT NULL::text AS user_id, id AS name, time_zone
FROM auth.organizations
WHERE id = $1 AND deleted_at IS NULL
FOR NO KEY UPDATE
"""

OWNERS: Final = {
    Owner.USER: ("user", FIND_USER),
    Owner.KEY: ("key", FIND_KEY),
    Owner.APP: ("grant", FIND_GRANT),
    Owner.ORGANIZATION: ("organization", FIND_ORGANIZATION),
}


@dataclass(frozen=True, slots=True)
class CapOwner:
    """The account (None: no single one), the subject of its caps, and the time zone of their days."""

    user_id: str | None
    subject: str
    time_zone: str


class BudgetStore:
    """Reads caps."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def list_of_user(self, user_id: str, now: datetime) -> list[Cap]:
        """Return what was set for a user or their organization, then what came with live keys and grants."""
        with database_errors():
            was_set = await self._pool.fetch(LIST_CAPS, user_id)
            own = await self._pool.fetch(LIST_OWN, user_id, now)
        return [cap_from_row(row) for row in was_set] + [_own_cap(row) for row in own]

    async def list_of_organization(self, organization_id: str) -> list[Cap]:
        """Return the budgets of an organization."""
        with database_errors():
            rows = await self._pool.fetch(LIST_OF_ORGANIZATION, organization_id)
        return [cap_from_row(row) for row in rows]


async def find_owner(connection: Connection, owner: Owner, owner_id: str) -> CapOwner | None:
    """Return whom a cap would be for; None: there is none."""
    kind, query = OWNERS[owner]
    row = await connection.fetchrow(query, owner_id)
    return None if row is None else CapOwner(row["user_id"], f"{kind}:{row['name']}", row["time_zone"])


async def hold_cap(connection: Connection, id: str) -> Cap | None:
    """Return a cap that was set; nobody else changes it until the transaction ends."""
    row = await connection.fetchrow(HOLD_CAP, id)
    return None if row is None else cap_from_row(row)


async def count_caps(connection: Connection, user_id: str | None, subject: str) -> int:
    """Return how many caps an account or an organization has."""
    return int(await connection.fetchval(COUNT_CAPS, user_id, subject))


async def insert_cap(connection: Connection, cap: Cap) -> None:
    """Store a new one."""
    facts = (cap.measure, cap.period, cap.models, cap.amount, cap.mode, cap.by_admin, cap.created_at)
    await connection.execute(INSERT_CAP, cap.id, cap.user_id, cap.subject, *facts)


async def update_cap(connection: Connection, cap: Cap) -> None:
    """Store another amount and mode."""
    await connection.execute(UPDATE_CAP, cap.id, cap.amount, cap.mode, cap.updated_at)


async def delete_cap(connection: Connection, id: str) -> None:
    """Remove one."""
    await connection.execute(DELETE_CAP, id)


async def delete_caps_of(connection: Connection, subject: str) -> None:
    """Remove all of a subject."""
    await connection.execute(DELETE_OF_SUBJECT, subject)


def cap_from_row(row: asyncpg.Record) -> Cap:
    """Return a stored cap."""
    return Cap(
        id=row["id"],
        user_id=row["user_id"],
        subject=row["subject"],
        measure=row["measure"],
        period=row["period"],
        amount=row["amount"],
        mode=CapMode(row["mode"]),
        models=row["models"],
        by_admin=row["by_admin"],
        source=Source(row["source"]),
        time_zone=row["time_zone"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )


def _own_cap(row: asyncpg.Record) -> Cap:
    source, zone = Source(row["source"]), row["time_zone"]
    return Cap(
        row["id"], row["user_id"], row["subject"], "cost", row["period"], row["amount"], source=source, time_zone=zone
    )
