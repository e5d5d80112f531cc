"""Reads credentials that make others: the database decides, and a gateway may only claim less."""

from __future__ import annotations

from typing import Final

import asyncpg

from servicekit.errors import ErrorReason, Unauthenticated
from services.auth.shared.domain.budget import Budget, BudgetPeriod
from services.auth.shared.domain.delegation import Authority, Powers
from services.auth.shared.store.unit_of_work import UnitOfWork

# Held until the commit: whoever ends it waits, and then finds what it has made.
HOLD_KEY: Final = """
SELECT k.scopes, k.models, k.ip_allow_list, k.expires_at, coalesce(k.budget_micro_rub, b.amount) AS budget_micro_rub,
       coalesce(k.budget_period, b.period) AS budget_period,
       EXISTS (
           SELECT FROM auth.budgets AS q
           WHERE q.subject = 'key:' || k.lineage_id AND q.measure <> 'cost' AND q.mode = 'hard'
       ) AS has_quota
FROM auth.api_keys AS k
JOIN auth.users AS u ON u.id = k.user_id AND u.disabled_at IS NULL AND u.deleted_at IS NULL
LEFT JOIN LATERAL (
    SELECT amount, period FROM auth.budgets
    WHERE subject = 'key:' || k.lineage_id AND measure = 'cost' AND mode = 'hard'
    LIMIT 1
) AS b ON true
WHERE k.id = $1 AND k.user_id = $2 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > $3)
  AND NOT auth.is_disabled('key:' || k.id)
FOR NO KEY UPDATE OF k
"""

HOLD_GRANT: Final = """
SELECT g.scopes, g.models, g.ip_allow_list, g.expires_at, coalesce(g.budget_micro_rub, b.amount) AS budget_micro_rub,
       coalesce(g.budget_period, b.period) AS budget_period,
       EXISTS (
           SELECT FROM auth.budgets AS q
           WHERE q.subject = 'grant:' || g.consent_id AND q.measure <> 'cost' AND q.mode = 'hard'
       ) AS has_quota
FROM auth.oauth_grants AS g
JOIN auth.users AS u ON u.id = g.user_id AND u.disabled_at IS NULL AND u.deleted_at IS NULL
LEFT JOIN LATERAL (
    SELECT amount, period FROM auth.budgets
    WHERE subject = 'grant:' || g.consent_id AND measure = 'cost' AND mode = 'hard'
    LIMIT 1
) AS b ON true
WHERE g.id = $1 AND g.user_id = $2 AND g.revoked_at IS NULL AND (g.expires_at IS NULL OR g.expires_at > $3)
  AND NOT auth.is_disabled('grant:' || g.id, 'client:' || g.client_id)
FOR NO KEY UPDATE OF g
"""

HOLDS: Final = {"key": HOLD_KEY, "grant": HOLD_GRANT}


async def hold_maker(unit: UnitOfWork, claimed: Authority | None, user_id: str) -> Authority | None:
    """Return what the credential that asks may do; it cannot end before the unit of work does.

    Args:
        unit: the change that makes something.
        claimed: what the gateway says of it: an access token may have fewer scopes than its grant.
        user_id: whose it must be.

    Raises:
        Unauthenticated: INVALID_KEY: it ended, or never was.
    """
    if claimed is None:
        return None
    kind, _, maker_id = claimed.subject.partition(":")
    row = await unit.connection.fetchrow(HOLDS[kind], maker_id, user_id, unit.at) if kind in HOLDS else None
    if row is None:
        raise Unauthenticated(ErrorReason.INVALID_KEY, "The credential is not valid any more.")
    powers = Powers(
        frozenset(row["scopes"]) & claimed.powers.scopes,
        tuple(row["models"]),
        tuple(row["ip_allow_list"]),
        row["expires_at"],
    )
    return Authority(powers, _budgets(row, claimed.subject), claimed.subject, row["has_quota"])


def _budgets(row: asyncpg.Record, subject: str) -> tuple[Budget, ...]:
    if row["budget_period"] is None:
        return ()
    return (Budget(subject, BudgetPeriod(row["budget_period"]), row["budget_micro_rub"]),)
