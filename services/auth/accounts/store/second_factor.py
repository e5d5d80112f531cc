"""The second factor: the sealed secret and the last used step in `users`, and table `recovery_codes`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from services.auth.shared.store.unit_of_work import Connection

BEGIN_TOTP: Final = """
UPDATE auth.users
SET totp_sealed = $2, totp_last_step = 0
WHERE id = $1 AND totp_enabled_at IS NULL AND deleted_at IS NULL
"""

ENABLE_TOTP: Final = """
UPDATE auth.users
SET totp_enabled_at = $2, updated_at = $2
WHERE id = $1 AND totp_enabled_at IS NULL AND totp_sealed IS NOT NULL
"""

DISABLE_TOTP: Final = """
UPDATE auth.users
SET totp_enabled_at = NULL, totp_sealed = NULL, totp_last_step = 0, updated_at = $2
WHERE id = $1 AND totp_enabled_at IS NOT NULL
"""

# A code counts once: of two uses of one step the second finds it used.
USE_STEP: Final = """
UPDATE auth.users
SET totp_last_step = $2
WHERE id = $1 AND totp_last_step < $2
"""

DELETE_RECOVERY_CODES: Final = """
DELETE FROM auth.recovery_codes
WHERE user_id = $1
"""

INSERT_RECOVERY_CODES: Final = """
INSERT INTO auth.recovery_codes (user_id, code_hash, created_at)
SELECT $1, code_hash, $3
FROM unnest($2::bytea[]) AS code_hash
"""

USE_RECOVERY_CODE: Final = """
UPDATE auth.recovery_codes
SET used_at = $3
WHERE user_id = $1 AND code_hash = $2 AND used_at IS NULL
"""


async def begin_totp(connection: Connection, user_id: str, sealed: bytes) -> bool:
    """Store a secret that waits for its first code; tell whether the second factor was off."""
    return bool(await connection.execute(BEGIN_TOTP, user_id, sealed) == "UPDATE 1")


async def enable_totp(connection: Connection, user_id: str, code_hashes: Sequence[bytes], at: datetime) -> bool:
    """Switch the second factor on with its recovery codes; tell whether this was the one to do it."""
    if await connection.execute(ENABLE_TOTP, user_id, at) != "UPDATE 1":
        return False
    await connection.execute(DELETE_RECOVERY_CODES, user_id)
    await connection.execute(INSERT_RECOVERY_CODES, user_id, code_hashes, at)
    return True


async def disable_totp(connection: Connection, user_id: str, at: datetime) -> bool:
    """Switch the second factor off and forget everything of it; tell whether it was on."""
    await connection.execute(DELETE_RECOVERY_CODES, user_id)
    return bool(await connection.execute(DISABLE_TOTP, user_id, at) == "UPDATE 1")


async def use_step(connection: Connection, user_id: str, step: int) -> bool:
    """Use a time step's code up; tell whether it was still unused."""
    return bool(await connection.execute(USE_STEP, user_id, step) == "UPDATE 1")


async def use_recovery_code(connection: Connection, user_id: str, code_hash: bytes, at: datetime) -> bool:
    """Use a recovery code up; tell whether it was one."""
    return bool(await connection.execute(USE_RECOVERY_CODE, user_id, code_hash, at) == "UPDATE 1")
