"""Narrows what a credential has made when that credential is narrowed: generation by generation, in one transaction.

What people allowed an application is bounded by them, not by what made it, and stays; but it ends with the application.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import asyncpg

from services.auth.shared.domain.audit import SYSTEM, AuditAction, AuditEvent
from services.auth.shared.domain.delegation import Made, Powers, cut_to
from services.auth.shared.domain.revocation import ENDED_AS, RevokedKind

if TYPE_CHECKING:
    from services.auth.shared.store.unit_of_work import UnitOfWork

# Those that live: locked, so that nothing is made by them meanwhile.
KEYS_MADE: Final = """
SELECT id, scopes, models, ip_allow_list, expires_at
FROM auth.api_keys
WHERE id IN (SELECT auth.keys_made_by(ARRAY[$1::text])) AND revoked_at IS NULL
ORDER BY id
FOR NO KEY UPDATE
"""

CLIENTS_MADE: Final = """
SELECT id, scopes, models, ip_allow_list, expires_at
FROM auth.oauth_clients
WHERE id IN (SELECT auth.clients_made_by(ARRAY[$1::text]))
ORDER BY id
FOR NO KEY UPDATE
"""

OWN_GRANTS: Final = """
SELECT id, scopes, models, ip_allow_list, expires_at
FROM auth.oauth_grants
WHERE client_id = substr($1::text, 8) AND kind = 'client_credentials' AND revoked_at IS NULL
ORDER BY id
FOR NO KEY UPDATE
"""

CUT_KEY: Final = """
UPDATE auth.api_keys
SET scopes = $2, models = $3, ip_allow_list = $4, expires_at = $5
WHERE id = $1
"""

CUT_CLIENT: Final = """
UPDATE auth.oauth_clients
SET scopes = $2, models = $3, ip_allow_list = $4, expires_at = $5
WHERE id = $1
"""

CUT_GRANT: Final = """
UPDATE auth.oauth_grants
SET scopes = $2, models = $3, ip_allow_list = $4, expires_at = $5
WHERE id = $1
"""

END_WITH_CLIENT: Final = """
UPDATE auth.oauth_grants
SET expires_at = $2
WHERE client_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)
"""

END_KEY: Final = """
UPDATE auth.api_keys
SET revoked_at = $2
WHERE id = $1
"""

END_CLIENT: Final = """
DELETE FROM auth.oauth_clients
WHERE id = $1 AND $2::timestamptz IS NOT NULL
"""

END_GRANT: Final = """
UPDATE auth.oauth_grants
SET revoked_at = $2
WHERE id = $1
"""


READ: Final = {RevokedKind.KEY: KEYS_MADE, RevokedKind.CLIENT: CLIENTS_MADE, RevokedKind.GRANT: OWN_GRANTS}
CUT: Final = {RevokedKind.KEY: CUT_KEY, RevokedKind.CLIENT: CUT_CLIENT, RevokedKind.GRANT: CUT_GRANT}
END: Final = {RevokedKind.KEY: END_KEY, RevokedKind.CLIENT: END_CLIENT, RevokedKind.GRANT: END_GRANT}
MADE: Final = {RevokedKind.KEY: Made.KEY, RevokedKind.CLIENT: Made.CLIENT, RevokedKind.GRANT: Made.GRANT}


async def narrow_descendants(unit: UnitOfWork, subject: str, bounds: Powers) -> None:
    """Have nothing that a credential made, and what that made, and so on, do more than it does now.

    What nothing is left of ends. Not to be called where the transaction sees one user's rows only.
    """
    makers = [(subject, bounds)]
    while makers:
        maker, bounds = makers.pop()
        for kind in (RevokedKind.GRANT,) if maker.startswith("client:") else (RevokedKind.KEY, RevokedKind.CLIENT):
            for row in await unit.connection.fetch(READ[kind], maker):
                cut = await _cut(unit, kind, row, maker, bounds)
                if cut is not None:
                    makers.append((f"{kind}:{row['id']}", cut))


async def _cut(unit: UnitOfWork, kind: RevokedKind, row: asyncpg.Record, maker: str, bounds: Powers) -> Powers | None:
    """Cut one to the bounds; return what it may do now, None where it may what it could, or has ended."""
    had = _powers_of(row)
    cut = cut_to(MADE[kind], had, bounds)
    if cut == had:
        return None
    subject = f"{kind}:{row['id']}"
    details = {"reason": "maker_narrowed", "maker": maker}
    if cut is None:
        # First what it made, which is found by it.
        await unit.revoke(kind, row["id"])
        await unit.connection.execute(END[kind], row["id"], unit.at)
        unit.record(AuditEvent(unit.at, SYSTEM, ENDED_AS[kind], subject, details))
        return None
    lists = (sorted(cut.scopes), list(cut.models), list(cut.ip_allow_list))
    await unit.connection.execute(CUT[kind], row["id"], *lists, cut.expires_at)
    if kind is RevokedKind.CLIENT and cut.expires_at is not None:
        await unit.connection.execute(END_WITH_CLIENT, row["id"], cut.expires_at)
    await unit.revoke(RevokedKind.CHANGED, subject)
    if kind is not RevokedKind.GRANT:
        action = AuditAction.KEY_CHANGED if kind is RevokedKind.KEY else AuditAction.CLIENT_CHANGED
        unit.record(AuditEvent(unit.at, SYSTEM, action, subject, details))
    return cut


def _powers_of(row: asyncpg.Record) -> Powers:
    return Powers(frozenset(row["scopes"]), tuple(row["models"]), tuple(row["ip_allow_list"]), row["expires_at"])
