"""Checks that the client and the user of a new row still exist, and that no administrator has barred them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg

from services.auth.oauth.domain.grant import GrantKind, PartyGone
from services.auth.shared.store.unit_of_work import Connection

# What a user is asked for.
ASKED: Final = (GrantKind.AUTHORIZATION_CODE, GrantKind.DEVICE_CODE)

# A disabled grant is not got round by asking the user once more, nor by ending it first: it stays disabled.
IS_BARRED: Final = """
SELECT EXISTS (
    SELECT
    FROM auth.oauth_grants AS g
    JOIN auth.disabled_credentials AS d ON d.subject = 'grant:' || g.id
    WHERE g.client_id = $1 AND g.user_id = $2 AND g.kind = ANY($3::text[])
)
"""

# Whoever sets a password waits for whom it would end, or is waited for.
HOLD_EPOCH: Final = """
SELECT session_epoch
FROM auth.users
WHERE id = $1
FOR SHARE
"""


@contextmanager
def existing_parties() -> Iterator[None]:
    """Raise `PartyGone` when the row of the block names a client or user that does not exist."""
    try:
        yield
    except asyncpg.ForeignKeyViolationError as exc:
        raise PartyGone from exc


async def hold_epoch(connection: Connection, user_id: str, epoch: int | None) -> bool:
    """Tell whether what a session of this epoch allowed still counts; until the commit it does. None: of any epoch."""
    return epoch is None or bool(await connection.fetchval(HOLD_EPOCH, user_id) == epoch)


async def is_barred(connection: Connection, client_id: str, user_id: str, kinds: Collection[GrantKind] = ASKED) -> bool:
    """Tell whether an administrator disabled what this user allowed this client, or a grant of other kinds."""
    return bool(await connection.fetchval(IS_BARRED, client_id, user_id, list(kinds)))
