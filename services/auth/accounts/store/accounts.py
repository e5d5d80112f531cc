"""Writes to table `users`."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import asyncpg

from services.auth.accounts.domain.new_account import NewAccount
from services.auth.shared.domain.tier import Tier
from services.auth.shared.store.unit_of_work import Connection

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

SET_OPERATOR_FIELDS: Final = """
UPDATE auth.users
SET name = $2, tier = $3, is_admin = $4, email_verified_at = coalesce(email_verified_at, $5), updated_at = $5
WHERE id = $1
"""


# Its sessions stay over when it is opened again.
SET_DISABLED: Final = """
UPDATE auth.users
SET disabled_at = CASE WHEN $2 THEN coalesce(disabled_at, $3) END, updated_at = $3,
    session_epoch = session_epoch + CASE WHEN $2 THEN 1 ELSE 0 END
WHERE id = $1 AND deleted_at IS NULL
"""


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


async def set_disabled(connection: Connection, user_id: str, at: datetime, *, disabled: bool) -> bool:
    """Shut an account or open it again; tell whether it is there."""
    return bool(await connection.execute(SET_DISABLED, user_id, disabled, at) == "UPDATE 1")


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


async def set_operator_fields(
    connection: Connection, user_id: str, *, name: str, tier: Tier, is_admin: bool, at: datetime
) -> None:
    """Set what an operator decides of an account."""
    await connection.execute(SET_OPERATOR_FIELDS, user_id, name, tier, is_admin, at)
