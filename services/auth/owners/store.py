"""Users with their keys and grants, as notifications need them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import asyncpg

from servicekit.postgres import database_errors
from services.auth.owners.owner import EndingKey, OwnedBudget, Owner
from services.auth.shared.domain.budget import Budget, BudgetPeriod
from services.auth.shared.domain.tier import Tier
from services.auth.shared.store.unit_of_work import Pool

FIND_USERS: Final = """
SELECT id, email, email_verified_at, language, time_zone, tier, disabled_at
FROM auth.users
WHERE id = ANY($1::text[]) AND deleted_at IS NULL
ORDER BY id
"""
# A line of rotated keys has one budget, counted under its first key and called like the youngest.
FIND_KEY_BUDGETS: Final = """
SELECT DISTINCT ON (lineage_id) user_id, 'key:' || lineage_id AS subject, name, budget_micro_rub, budget_period
FROM auth.api_keys
WHERE user_id = ANY($1::text[]) AND budget_micro_rub IS NOT NULL
    AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)
ORDER BY lineage_id, created_at DESC
"""
FIND_GRANT_BUDGETS: Final = """
SELECT DISTINCT ON (held.consent_id)
    held.user_id, 'grant:' || held.consent_id AS subject, client.name, held.budget_micro_rub, held.budget_period
FROM auth.oauth_grants AS held
JOIN auth.oauth_clients AS client ON client.id = held.client_id
WHERE held.user_id = ANY($1::text[]) AND held.budget_micro_rub IS NOT NULL
    AND held.revoked_at IS NULL AND (held.expires_at IS NULL OR held.expires_at > $2)
ORDER BY held.consent_id, held.created_at DESC
"""
# What owners and administrators set; a watching one is for looking at, not for telling. One of a line of keys, or of an
# application's consent, of which nothing counts any more stays until it is removed: nobody is warned of it. Keys and
# consents are found by ids that are cut out apart: gateways ask every minute, and behind the wall of row security all
# keys of everybody would be looked through for each budget. So they would for one EXISTS, which may be hashed.
FIND_SET_BUDGETS: Final = """
WITH told AS MATERIALIZED (
    SELECT user_id, subject, amount, period, created_at, id,
        CASE WHEN subject LIKE 'key:%' THEN substr(subject, 5) END AS key_id,
        CASE WHEN subject LIKE 'grant:%' THEN substr(subject, 7) END AS consent_id
    FROM auth.budgets
    WHERE user_id = ANY($1::text[]) AND measure = 'cost' AND mode <> 'shadow'
)
SELECT b.user_id, b.subject, coalesce(k.name, '') AS name, b.amount AS budget_micro_rub, b.period AS budget_period
FROM told AS b
LEFT JOIN auth.api_keys AS k ON k.id = b.key_id
WHERE (b.key_id IS NULL OR (
        SELECT true FROM auth.api_keys AS live
        WHERE live.user_id = b.user_id AND live.lineage_id = b.key_id
            AND live.revoked_at IS NULL AND (live.expires_at IS NULL OR live.expires_at > $2)
        LIMIT 1
    ))
    AND (b.consent_id IS NULL OR (
        SELECT true FROM auth.oauth_grants AS live
        WHERE live.user_id = b.user_id AND live.consent_id = b.consent_id
            AND live.revoked_at IS NULL AND (live.expires_at IS NULL OR live.expires_at > $2)
        LIMIT 1
    ))
ORDER BY b.created_at, b.id
"""
# An organization's are told to those whom they cap, and to administrators, who can change them.
FIND_ORGANIZATION_BUDGETS: Final = """
WITH capped AS MATERIALIZED (
    SELECT u.id AS user_id, 'organization:' || o.id AS subject, o.name, o.time_zone
    FROM auth.users AS u
    JOIN auth.organizations AS o
        ON o.deleted_at IS NULL
        AND (u.is_admin OR EXISTS (
            SELECT FROM auth.organization_members AS m
            WHERE m.organization_id = o.id AND m.user_id = u.id AND m.left_at IS NULL
        ))
    WHERE u.id = ANY($1::text[])
)
SELECT capped.user_id, b.subject, capped.name, b.amount AS budget_micro_rub, b.period AS budget_period, capped.time_zone
FROM capped
JOIN auth.budgets AS b ON b.subject = capped.subject
WHERE b.measure = 'cost' AND b.mode <> 'shadow'
ORDER BY b.created_at, b.id
"""
FIND_ENDING_KEYS: Final = """
SELECT user_id, id, name, expires_at
FROM auth.api_keys
WHERE user_id = ANY($1::text[]) AND expires_at > $2 AND revoked_at IS NULL
ORDER BY expires_at, id
"""


class OwnerStore:
    """Reads owners, in one snapshot."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, user_ids: Sequence[str], now: datetime) -> tuple[list[Owner], list[str]]:
        """Return those of the users that can be told of something, and the ids of those that are shut."""
        with database_errors():
            async with (
                self._pool.acquire() as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                users = await connection.fetch(FIND_USERS, user_ids)
                budgets = [
                    *await connection.fetch(FIND_KEY_BUDGETS, user_ids, now),
                    *await connection.fetch(FIND_GRANT_BUDGETS, user_ids, now),
                    *await connection.fetch(FIND_SET_BUDGETS, user_ids, now),
                    *await connection.fetch(FIND_ORGANIZATION_BUDGETS, user_ids),
                ]
                keys = await connection.fetch(FIND_ENDING_KEYS, user_ids, now)
        owners = [_owner(row, _budgets(budgets), _keys(keys)) for row in users if row["disabled_at"] is None]
        return owners, [row["id"] for row in users if row["disabled_at"] is not None]


def _budgets(rows: Sequence[asyncpg.Record]) -> dict[str, list[OwnedBudget]]:
    found: defaultdict[str, list[OwnedBudget]] = defaultdict(list)
    for row in rows:
        zone = row.get("time_zone", "")
        budget = Budget(row["subject"], BudgetPeriod(row["budget_period"]), row["budget_micro_rub"], time_zone=zone)
        found[row["user_id"]].append(OwnedBudget(budget, row["name"]))
    return found


def _keys(rows: Sequence[asyncpg.Record]) -> dict[str, list[EndingKey]]:
    found: defaultdict[str, list[EndingKey]] = defaultdict(list)
    for row in rows:
        found[row["user_id"]].append(EndingKey(row["id"], row["name"], row["expires_at"]))
    return found


def _owner(row: asyncpg.Record, budgets: dict[str, list[OwnedBudget]], keys: dict[str, list[EndingKey]]) -> Owner:
    return Owner(
        user_id=row["id"],
        email=row["email"] if row["email_verified_at"] is not None else "",
        language=row["language"],
        time_zone=row["time_zone"],
        tier=Tier(row["tier"]),
        budgets=tuple(budgets.get(row["id"], ())),
        keys=tuple(keys.get(row["id"], ())),
    )
