"""Table `budgets`, read for one credential: what caps it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import asyncpg

from servicekit.postgres import database_errors, sql
from services.auth.shared.domain.budget import Budget, BudgetPeriod, CapMode, Caps, Quota
from services.auth.shared.store.unit_of_work import Pool

# What caps the organization that a user ($1) belongs to is found by its subject. That is put together apart: behind the
# wall of row security a join by `'organization:' || o.id` looks through the caps of everybody.
SHARED_SUBJECT: Final = """
SELECT 'organization:' || o.id AS subject, o.time_zone
FROM auth.organization_members AS m
JOIN auth.organizations AS o ON o.id = m.organization_id AND o.deleted_at IS NULL
WHERE m.user_id = $1 AND m.left_at IS NULL
"""

# Of the credential, of its account, of the organization that the account belongs to: the narrowest first.
FIND_CAPS: Final = sql(
    """
WITH shared AS MATERIALIZED ({shared})
SELECT b.id, b.subject, b.measure, b.period, b.models, b.amount, b.mode, '' AS time_zone, b.created_at
FROM auth.budgets AS b
WHERE b.user_id = $1 AND b.subject IN ('user:' || $1, $2)
UNION ALL
SELECT b.id, b.subject, b.measure, b.period, b.models, b.amount, b.mode, shared.time_zone, b.created_at
FROM shared
JOIN auth.budgets AS b ON b.subject = shared.subject
ORDER BY created_at, id
""",
    shared=SHARED_SUBJECT,
)

COST: Final = "cost"
# The narrowest first: a key's own budget is what `/v1/auth/key` shows.
NARROWEST: Final = ("key", "grant", "user", "organization")


class CapStore:
    """Finds what caps a credential."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, user_id: str, subject: str) -> Caps:
        """Return the caps of a user's credential (`key:<first of its line>` or `grant:<consent>`)."""
        with database_errors():
            return caps_from_rows(await self._pool.fetch(FIND_CAPS, user_id, subject))


def caps_from_rows(rows: Iterable[asyncpg.Record]) -> Caps:
    """Return stored rows as budgets of money and quotas of the rest."""
    ordered = sorted(rows, key=lambda row: NARROWEST.index(row["subject"].partition(":")[0]))
    return Caps(
        tuple(_budget(row) for row in ordered if row["measure"] == COST),
        tuple(_quota(row) for row in ordered if row["measure"] != COST),
    )


def _budget(row: asyncpg.Record) -> Budget:
    period, mode = BudgetPeriod(row["period"]), CapMode(row["mode"])
    return Budget(row["subject"], period, row["amount"], mode, row["id"], row["time_zone"])


def _quota(row: asyncpg.Record) -> Quota:
    measure = f"{row['measure']}_per_{row['period']}"
    return Quota(row["id"], row["subject"], row["models"], measure, row["amount"], CapMode(row["mode"]))
