"""Client and user of a row, which may vanish while it is made, or between whom an administrator stands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg

from services.auth.oauth.domain.grant import PartyGone
from services.auth.shared.store.unit_of_work import Connection

# A disabled grant is not got round by asking the user once more.
IS_BARRED: Final = """
SELECT EXISTS (
    SELECT
    FROM auth.oauth_grants AS g
    JOIN auth.disabled_credentials AS d ON d.subject = 'grant:' || g.id
    WHERE g.client_id = $1 AND g.user_id = $2 AND g.revoked_at IS NULL
)
"""


@contextmanager
def existing_parties() -> Iterator[None]:
    """Raise `PartyGone` when the row of the block names a client or user that does not exist."""
    try:
        yield
    except asyncpg.ForeignKeyViolationError as exc:
        raise PartyGone from exc


async def is_barred(connection: Connection, client_id: str, user_id: str) -> bool:
    """Tell whether an administrator disabled what this user allowed this client."""
    return bool(await connection.fetchval(IS_BARRED, client_id, user_id))
