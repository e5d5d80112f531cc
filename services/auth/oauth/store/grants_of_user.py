"""Ends OAuth rows together with a password, a login session or an account, in the account's own transaction."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from servicekit.postgres import sql
from services.auth.oauth.domain.client import Client
from services.auth.oauth.domain.grant import Grant
from services.auth.oauth.domain.scope_parameter import as_text
from services.auth.oauth.store.clients import CLIENT_COLUMNS, client_from_row, end_client
from services.auth.oauth.store.grant_rows import GRANT_COLUMNS, end_grants, grant_from_row
from services.auth.shared.domain.audit import AuditAction, AuditEvent
from services.auth.shared.store.unit_of_work import UnitOfWork

IDS_OF_USER: Final = """
SELECT id
FROM auth.oauth_grants
WHERE user_id = $1 AND revoked_at IS NULL
ORDER BY id
"""

IDS_OF_SESSION: Final = """
SELECT id, user_id
FROM auth.oauth_grants
WHERE session_id = $1 AND revoked_at IS NULL
ORDER BY id
"""

IDS_OF_CLIENTS: Final = """
SELECT id
FROM auth.oauth_clients
WHERE owner_user_id = $1
ORDER BY id
"""

# A code that was given but not redeemed must not become a grant after everything was ended. Before the grants are
# looked for: whoever redeems one at this moment is waited for here, and has committed the grant that is then found.
DELETE_CODES_OF_USER: Final = """
DELETE FROM auth.oauth_codes
WHERE user_id = $1 AND used_at IS NULL
"""

DELETE_CODES_OF_SESSION: Final = """
DELETE FROM auth.oauth_codes
WHERE session_id = $1 AND used_at IS NULL
"""

GRANTS_OF_USER: Final = sql(
    """
SELECT {grant}
FROM auth.oauth_grants AS g
WHERE user_id = $1
ORDER BY created_at, id
""",
    grant=GRANT_COLUMNS,
)

CLIENTS_OF_USER: Final = sql(
    """
SELECT {client}
FROM auth.oauth_clients AS c
WHERE owner_user_id = $1
ORDER BY created_at, id
""",
    client=CLIENT_COLUMNS,
)

# The reason with which an account goes for good; the others leave the user's own applications alone.
ENDS_APPLICATIONS: Final = frozenset({"account_deleted"})


class OAuthOfUser:
    """A user's grants and applications, changed in the account's own unit of work."""

    async def end_all(self, unit: UnitOfWork, user_id: str, reason: str) -> None:
        """End every live grant; with an account that is deleted also the applications it owns."""
        connection = unit.connection
        await connection.execute(DELETE_CODES_OF_USER, user_id)
        ended = len(await end_grants(unit, [row["id"] for row in await connection.fetch(IDS_OF_USER, user_id)]))
        if reason in ENDS_APPLICATIONS:
            for row in await connection.fetch(IDS_OF_CLIENTS, user_id):
                ended += await end_client(unit, row["id"], user_id)
        if ended:
            unit.record(_event(f"user:{user_id}", f"user:{user_id}", reason, unit.at))

    async def end_of_session(self, unit: UnitOfWork, session_id: str) -> None:
        """End the grants given in one login session; devices, which are of no session, stay in."""
        await unit.connection.execute(DELETE_CODES_OF_SESSION, session_id)
        rows = await unit.connection.fetch(IDS_OF_SESSION, session_id)
        ended = await end_grants(unit, [row["id"] for row in rows])
        if ended:
            unit.record(_event(f"user:{rows[0]['user_id']}", f"session:{session_id}", "session_ended", unit.at))

    async def describe(self, unit: UnitOfWork, user_id: str) -> dict[str, Any]:
        """Return the person's grants and applications as JSON values, without secrets."""
        grants = [grant_from_row(row) for row in await unit.connection.fetch(GRANTS_OF_USER, user_id)]
        clients = [client_from_row(row) for row in await unit.connection.fetch(CLIENTS_OF_USER, user_id)]
        return {
            "grants": [_grant_to_json(grant) for grant in grants],
            "applications": [_client_to_json(client) for client in clients],
        }


def _event(actor: str, subject: str, reason: str, at: datetime) -> AuditEvent:
    return AuditEvent(at, actor, AuditAction.GRANT_REVOKED, subject, {"reason": reason})


def _grant_to_json(grant: Grant) -> dict[str, Any]:
    budget = grant.allowance.budget
    return {
        "id": grant.id,
        "kind": grant.kind.value,
        "client_id": grant.client_id,
        "scope": as_text(grant.allowance.scopes),
        "models": list(grant.allowance.models),
        "budget": {"period": budget.period.value, "limit_micro_rub": budget.limit_micro_rub} if budget else None,
        "created_at": grant.created_at.isoformat(),
        "last_used_at": grant.last_used_at.isoformat(),
        "revoked_at": grant.revoked_at.isoformat() if grant.revoked_at else None,
        "disabled": grant.is_disabled,
    }


def _client_to_json(client: Client) -> dict[str, Any]:
    return {
        "client_id": client.id,
        "name": client.name,
        "redirect_uris": list(client.redirect_uris),
        "scope": as_text(client.scopes),
        "grant_types": sorted(client.grant_types),
        "disabled": client.is_disabled,
        "created_at": client.created_at.isoformat(),
    }
