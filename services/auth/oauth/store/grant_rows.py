"""Rows of `oauth_grants`: made, locked, ended; used by every transaction that touches a grant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import asyncpg

from services.auth.oauth.domain.grant import Allowance, Grant, GrantKind
from services.auth.oauth.store.parties import existing_parties
from services.auth.shared.domain.budget import BudgetPeriod, KeyBudget
from services.auth.shared.domain.revocation import Revocation, RevokedKind
from services.auth.shared.domain.scope import known_scopes
from services.auth.shared.store.unit_of_work import Connection, UnitOfWork

# What `grant_from_row` reads, of oauth_grants under the name g.
GRANT_COLUMNS: Final = """
    g.id, g.kind, g.client_id, g.user_id, g.consent_id, g.scopes, g.models, g.budget_micro_rub, g.budget_period,
    g.session_id, g.authenticated_at, g.created_at, g.expires_at, g.last_used_at, g.revoked_at, g.ip_allow_list,
    g.dpop_jkt, g.amr, auth.is_disabled('grant:' || g.id, 'client:' || g.client_id) AS is_disabled
"""

INSERT_GRANT: Final = """
INSERT INTO auth.oauth_grants
    (id, kind, client_id, user_id, consent_id, scopes, models, budget_micro_rub, budget_period, session_id,
     authenticated_at, created_at, expires_at, last_used_at, ip_allow_list, dpop_jkt,
     amr)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $12, $14, $15, $16)
ON CONFLICT (id) DO NOTHING
"""

END_GRANTS: Final = """
UPDATE auth.oauth_grants
SET revoked_at = $2
WHERE id = ANY($1::text[]) AND revoked_at IS NULL
RETURNING id
"""


async def insert_grant(connection: Connection, grant: Grant) -> bool:
    """Store a grant; tell whether it is new.

    Raises:
        PartyGone: its client or user does not exist any more.
    """
    with existing_parties():
        done = await connection.execute(
            INSERT_GRANT,
            *(grant.id, grant.kind, grant.client_id, grant.user_id, grant.consent_id),
            *allowance_columns(grant.allowance),
            *(grant.session_id, grant.authenticated_at, grant.created_at, grant.expires_at),
            *(list(grant.ip_allow_list), grant.dpop_jkt, list(grant.methods)),
        )
    return bool(done == "INSERT 0 1")


async def end_grants(unit: UnitOfWork, grant_ids: Sequence[str]) -> list[Revocation]:
    """End the grants that are not ended yet, with all their tokens."""
    ended = await unit.connection.fetch(END_GRANTS, grant_ids, unit.at)
    return [await unit.revoke(RevokedKind.GRANT, row["id"]) for row in ended]


def allowance_columns(allowance: Allowance) -> tuple[Any, ...]:
    """Return scopes, models, budget_micro_rub, budget_period."""
    budget = (allowance.budget.limit_micro_rub, allowance.budget.period) if allowance.budget else (None, None)
    return (sorted(allowance.scopes), list(allowance.models), *budget)


def allowance_from_row(row: asyncpg.Record) -> Allowance:
    """Return what was allowed."""
    budget = None
    if row["budget_period"] is not None:
        budget = KeyBudget(BudgetPeriod(row["budget_period"]), row["budget_micro_rub"])
    return Allowance(known_scopes(row["scopes"]), tuple(row["models"]), budget)


def grant_from_row(row: asyncpg.Record) -> Grant:
    """Return the grant that a row holds."""
    return Grant(
        id=row["id"],
        kind=GrantKind(row["kind"]),
        client_id=row["client_id"],
        user_id=row["user_id"],
        consent_id=row["consent_id"],
        allowance=allowance_from_row(row),
        session_id=row["session_id"],
        authenticated_at=row["authenticated_at"],
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        last_used_at=row["last_used_at"],
        revoked_at=row["revoked_at"],
        ip_allow_list=tuple(row["ip_allow_list"]),
        dpop_jkt=row["dpop_jkt"],
        methods=tuple(row["amr"]),
        is_disabled=row["is_disabled"],
    )
