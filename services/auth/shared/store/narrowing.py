"""What may less because its maker does: generation by generation, in the transaction in which the maker is narrowed.

What people allowed an application is bounded by them, not by what made it, and stays; but it ends with the application.
"""

from __future__ import annotations

from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class _Sort:
    """How one sort of what is made is read, cut and ended."""

    kind: RevokedKind
    made: Made
    read: str
    cut: str
    end: str


KEYS: Final = _Sort(RevokedKind.KEY, Made.KEY, KEYS_MADE, CUT_KEY, END_KEY)
CLIENTS: Final = _Sort(RevokedKind.CLIENT, Made.CLIENT, CLIENTS_MADE, CUT_CLIENT, END_CLIENT)
GRANTS: Final = _Sort(RevokedKind.GRANT, Made.GRANT, OWN_GRANTS, CUT_GRANT, END_GRANT)


async def narrow_descendants(unit: UnitOfWork, subject: str, bounds: Powers) -> None:
    """Have nothing that a credential made, and what that made, and so on, do more than it does now.

    What nothing is left of ends. Not to be called where the transaction sees one user's rows only.
    """
    makers = [(subject, bounds)]
    while makers:
        maker, bounds = makers.pop()
        for sort in (GRANTS,) if maker.startswith("client:") else (KEYS, CLIENTS):
            for row in await unit.connection.fetch(sort.read, maker):
                cut = await _cut(unit, sort, row, maker, bounds)
                if cut is not None:
                    makers.append((f"{sort.kind}:{row['id']}", cut))


async def _cut(unit: UnitOfWork, sort: _Sort, row: asyncpg.Record, maker: str, bounds: Powers) -> Powers | None:
    """Cut one to the bounds; return what it may do now, None where it may what it could, or has ended."""
    had = _powers_of(row)
    cut = cut_to(sort.made, had, bounds)
    if cut == had:
        return None
    subject = f"{sort.kind}:{row['id']}"
    details = {"reason": "maker_narrowed", "maker": maker}
    if cut is None:
        # First what it made, which is found by it.
        await unit.revoke(sort.kind, row["id"])
        await unit.connection.execute(sort.end, row["id"], unit.at)
        unit.record(AuditEvent(unit.at, SYSTEM, ENDED_AS[sort.kind], subject, details))
        return None
    lists = (sorted(cut.scopes), list(cut.models), list(cut.ip_allow_list))
    await unit.connection.execute(sort.cut, row["id"], *lists, cut.expires_at)
    if sort is CLIENTS and cut.expires_at is not None:
        await unit.connection.execute(END_WITH_CLIENT, row["id"], cut.expires_at)
    await unit.revoke(RevokedKind.CHANGED, subject)
    if sort is not GRANTS:
        action = AuditAction.KEY_CHANGED if sort is KEYS else AuditAction.CLIENT_CHANGED
        unit.record(AuditEvent(unit.at, SYSTEM, action, subject, details))
    return cut


def _powers_of(row: asyncpg.Record) -> Powers:
    return Powers(frozenset(row["scopes"]), tuple(row["models"]), tuple(row["ip_allow_list"]), row["expires_at"])
