"""Table `users`, as accounts."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import asyncpg

from servicekit.postgres import database_errors
from services.auth.accounts.domain.account import Account, NewAccount
from services.auth.shared.domain.tier import Tier
from services.auth.shared.store.transactions import Connection, Pool

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

INSERT_ACCOUNT: Final = """
INSERT INTO auth.users
    (id, email, tier, name, language, is_admin, password_hash, created_at, updated_at, email_verified_at,
     password_changed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $8, CASE WHEN $7::text IS NULL THEN NULL ELSE $8::timestamptz END)
ON CONFLICT ((lower(email))) DO NOTHING
"""

SET_PASSWORD: Final = """
UPDATE auth.users
SET password_hash = $2, password_changed_at = $3, updated_at = $3, session_epoch = session_epoch + 1
WHERE id = $1 AND deleted_at IS NULL AND disabled_at IS NULL
RETURNING session_epoch
"""

# Only if nobody changed the password meanwhile.
REHASH_PASSWORD: Final = """
UPDATE auth.users
SET password_hash = $3
WHERE id = $1 AND password_hash = $2
"""

VERIFY_EMAIL: Final = """
UPDATE auth.users
SET email_verified_at = coalesce(email_verified_at, $2)
WHERE id = $1
"""

CHANGE_EMAIL: Final = """
UPDATE auth.users
SET email = $2, email_verified_at = $3, updated_at = $3
WHERE id = $1 AND deleted_at IS NULL
"""

UPDATE_PROFILE: Final = """
UPDATE auth.users
SET name = coalesce($2, name), language = coalesce($3, language), time_zone = coalesce($4, time_zone), updated_at = $5
WHERE id = $1 AND deleted_at IS NULL
"""

SET_STANDING: Final = """
UPDATE auth.users
SET name = $2, tier = $3, is_admin = $4, email_verified_at = coalesce(email_verified_at, $5), updated_at = $5
WHERE id = $1
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


async def lock_account(connection: Connection, user_id: str) -> Account | None:
    """Return the account; nobody else changes it until the transaction ends."""
    return _from_row(await connection.fetchrow(LOCK_ACCOUNT, user_id))


async def find_account_by_email(connection: Connection, email: str) -> Account | None:
    """Return the account of an address, as this transaction sees it."""
    return _from_row(await connection.fetchrow(FIND_ACCOUNT_BY_EMAIL, email))


async def insert_account(connection: Connection, new: NewAccount, at: datetime) -> bool:
    """Make an account with a verified address; tell whether the address was free."""
    done = await connection.execute(
        *(INSERT_ACCOUNT, new.id, new.email, new.tier, new.name, new.language, new.is_admin, new.password_hash, at)
    )
    return bool(done == "INSERT 0 1")


async def set_password(connection: Connection, user_id: str, password_hash: str, at: datetime) -> int | None:
    """Set the password and end the sessions so far; return the new session epoch, None for an unusable account."""
    epoch: int | None = await connection.fetchval(SET_PASSWORD, user_id, password_hash, at)
    return epoch


async def rehash_password(connection: Connection, user_id: str, old_hash: str, new_hash: str) -> None:
    """Store the same password under new parameters."""
    await connection.execute(REHASH_PASSWORD, user_id, old_hash, new_hash)


async def verify_email(connection: Connection, user_id: str, at: datetime) -> None:
    """Note that mail to the address arrives."""
    await connection.execute(VERIFY_EMAIL, user_id, at)


async def change_email(connection: Connection, user_id: str, email: str, at: datetime) -> bool:
    """Give the account a verified address; tell whether it was free. The transaction goes on either way."""
    try:
        async with connection.transaction():
            return bool(await connection.execute(CHANGE_EMAIL, user_id, email, at) == "UPDATE 1")
    except asyncpg.UniqueViolationError:
        return False


async def update_profile(
    connection: Connection, user_id: str, *, name: str | None, language: str | None, time_zone: str | None, at: datetime
) -> None:
    """Change what is given."""
    await connection.execute(UPDATE_PROFILE, user_id, name, language, time_zone, at)


async def set_standing(
    connection: Connection, user_id: str, *, name: str, tier: Tier, is_admin: bool, at: datetime
) -> None:
    """Set what an operator decides of an account."""
    await connection.execute(SET_STANDING, user_id, name, tier, is_admin, at)


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
