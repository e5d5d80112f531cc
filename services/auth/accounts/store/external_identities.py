"""Table `external_identities`: issuer and subject -> account."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from services.auth.shared.store.unit_of_work import Connection

USE_IDENTITY: Final = """
UPDATE auth.external_identities
SET last_used_at = $3
WHERE issuer = $1 AND subject = $2
RETURNING user_id
"""

LINK_IDENTITY: Final = """
INSERT INTO auth.external_identities (issuer, subject, user_id, created_at, last_used_at)
VALUES ($1, $2, $3, $4, $4)
ON CONFLICT (issuer, subject) DO NOTHING
"""


async def use_identity(connection: Connection, issuer: str, subject: str, at: datetime) -> str | None:
    """Return whose identity this is and note its use."""
    user_id: str | None = await connection.fetchval(USE_IDENTITY, issuer, subject, at)
    return user_id


async def link_identity(connection: Connection, issuer: str, subject: str, user_id: str, at: datetime) -> bool:
    """Give an identity to an account; tell whether nobody had it."""
    return bool(await connection.execute(LINK_IDENTITY, issuer, subject, user_id, at) == "INSERT 0 1")
