"""Table `users`, read as accounts."""

from __future__ import annotations

from typing import Final

import asyncpg

from servicekit.postgres import database_errors
from services.auth.shared.domain.account import Account
from services.auth.shared.domain.tier import Tier
from services.auth.shared.store.unit_of_work import Connection, Pool

FIND_ACCOUNT: Final = """
SELECT id, email, tier, name, language, time_zone, is_admin, created_at, updated_at, email_verified_at,
       session_epoch, totp_enabled_at, disabled_at, deleted_at, password_hash, totp_sealed
FROM auth.users
WHERE id = $1
"""

LOCK_ACCOUNT: Final = """
SELECT id, email, tier, name, language, time_zone, is_admin, created_at, updated_at, email_verified_at,
       session_epoch, totp_enabled_at, disabled_at, deleted_at, password_hash, totp_sealed
FROM auth.users
WHERE id = $1
FOR UPDATE
"""

FIND_ACCOUNT_BY_EMAIL: Final = """
SELECT id, email, tier, name, language, time_zone, is_admin, created_at, updated_at, email_verified_at,
       session_epoch, totp_enabled_at, disabled_at, deleted_at, password_hash, totp_sealed
FROM auth.users
WHERE lower(email) = lower($1)
"""


class AccountStore:
    """Reads accounts."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def find(self, user_id: str) -> Account | None:
        """Return the account, whatever its state."""
        with database_errors():
            return _from_row(await self._pool.fetchrow(FIND_ACCOUNT, user_id))

    async def find_by_email(self, email: str) -> Account | None:
        """Return the account of an address, however that is capitalised."""
        with database_errors():
            return _from_row(await self._pool.fetchrow(FIND_ACCOUNT_BY_EMAIL, email))

    async def find_usable(self, user_id: str) -> Account | None:
        """Return the account; None also when nobody may act through it."""
        account = await self.find(user_id)
        return account if account is not None and account.is_usable else None


async def lock_account(connection: Connection, user_id: str) -> Account | None:
    """Return the account; nobody else changes it until the transaction ends."""
    return _from_row(await connection.fetchrow(LOCK_ACCOUNT, user_id))


async def lock_accounts(connection: Connection, *user_ids: str) -> list[Account | None]:
    """Return accounts, as they are once nobody else changes them; locked in one order, whoever asks for them."""
    found = {user_id: await lock_account(connection, user_id) for user_id in sorted(user_ids)}
    return [found[user_id] for user_id in user_ids]


async def find_account_by_email(connection: Connection, email: str) -> Account | None:
    """Return the account of an address, as this transaction sees it."""
    return _from_row(await connection.fetchrow(FIND_ACCOUNT_BY_EMAIL, email))


def _from_row(row: asyncpg.Record | None) -> Account | None:
    if row is None:
        return None
    return Account(
        id=row["id"],
        email=row["email"],
        tier=Tier(row["tier"]),
        name=row["name"],
        language=row["language"],
        time_zone=row["time_zone"],
        is_admin=row["is_admin"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        email_verified_at=row["email_verified_at"],
        session_epoch=row["session_epoch"],
        totp_enabled_at=row["totp_enabled_at"],
        disabled_at=row["disabled_at"],
        deleted_at=row["deleted_at"],
        password_hash=row["password_hash"],
        totp_sealed=row["totp_sealed"],
    )
