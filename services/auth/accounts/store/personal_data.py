"""Everything in auth's tables about a person: read for the export, erased when the account is deleted."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final

from services.auth.shared.store.unit_of_work import Connection

# One document of what has a bound; the rest is told in pages (`personal_data/store.py`). Secrets, hashes of secrets and
# what belongs to others are not in the lists of columns.
EXPORT_ACCOUNT: Final = """
SELECT jsonb_build_object(
    'profile', (
        SELECT to_jsonb(p) FROM (
            SELECT id, email, name, language, time_zone, tier, is_admin, created_at, updated_at, email_verified_at,
                   password_changed_at, totp_enabled_at
            FROM auth.users WHERE id = $1
        ) AS p),
    'model_names', (
        SELECT coalesce(jsonb_agg(to_jsonb(n) ORDER BY n.lineage_id), '[]') FROM (
            SELECT lineage_id, names, updated_at FROM auth.model_names WHERE user_id = $1
        ) AS n),
    'budgets', (
        SELECT coalesce(jsonb_agg(to_jsonb(b) ORDER BY b.created_at), '[]') FROM (
            SELECT id, subject, measure, period, models, amount, mode, by_admin, created_at, updated_at
            FROM auth.budgets WHERE user_id = $1
        ) AS b),
    'organizations', (
        SELECT coalesce(jsonb_agg(to_jsonb(m) ORDER BY m.joined_at), '[]') FROM (
            SELECT organization_id, joined_at, left_at FROM auth.organization_members WHERE user_id = $1
        ) AS m),
    'external_identities', (
        SELECT coalesce(jsonb_agg(to_jsonb(e) ORDER BY e.created_at), '[]') FROM (
            SELECT issuer, subject, created_at, last_used_at FROM auth.external_identities WHERE user_id = $1
        ) AS e),
    'recovery_codes', (
        SELECT coalesce(jsonb_agg(to_jsonb(r)), '[]') FROM (
            SELECT created_at, used_at FROM auth.recovery_codes WHERE user_id = $1
        ) AS r),
    'invitations', (
        SELECT coalesce(jsonb_agg(to_jsonb(v)), '[]') FROM (
            SELECT email, queued_at, outcome FROM auth.invitations WHERE user_id = $1
        ) AS v)
)
"""


async def export_account(connection: Connection, user_id: str) -> dict[str, Any]:
    """Return what is stored of a person and does not grow with the years, as JSON values."""
    document: dict[str, Any] = json.loads(await connection.fetchval(EXPORT_ACCOUNT, user_id))
    return document


ERASE_USER: Final = """
UPDATE auth.users
SET email = 'deleted-' || id || '@deleted.invalid', name = '', language = 'ru', time_zone = 'Europe/Moscow',
    is_admin = false, email_verified_at = NULL, password_hash = NULL, password_changed_at = NULL, totp_sealed = NULL,
    totp_enabled_at = NULL, totp_last_step = 0, session_epoch = session_epoch + 1, deleted_at = $2, updated_at = $2
WHERE id = $1 AND deleted_at IS NULL
"""

ERASE_KEYS: Final = """
UPDATE auth.api_keys
SET revoked_at = coalesce(revoked_at, $2), name = '', ip_allow_list = '{}'
WHERE user_id = $1
"""

ERASE_MODEL_NAMES: Final = """
DELETE FROM auth.model_names
WHERE user_id = $1
"""

LEAVE_ORGANIZATION: Final = """
UPDATE auth.organization_members
SET left_at = $2
WHERE user_id = $1 AND left_at IS NULL
"""

ERASE_BUDGETS: Final = """
DELETE FROM auth.budgets
WHERE user_id = $1
"""

ERASE_IDENTITIES: Final = """
DELETE FROM auth.external_identities
WHERE user_id = $1
"""

ERASE_RECOVERY_CODES: Final = """
DELETE FROM auth.recovery_codes
WHERE user_id = $1
"""

ERASE_TOKENS: Final = """
DELETE FROM auth.mailed_tokens
WHERE user_id = $1 OR lower(email) = lower($2)
"""

ERASE_MAILS: Final = """
DELETE FROM auth.mails
WHERE user_id = $1 OR lower(email) = lower($2)
"""

ERASE_INVITATION: Final = """
DELETE FROM auth.invitations
WHERE user_id = $1
"""

ERASE_ATTEMPTS: Final = """
DELETE FROM auth.login_attempts
WHERE user_id = $1
"""

ERASED: Final = (
    ERASE_MODEL_NAMES,
    ERASE_BUDGETS,
    ERASE_IDENTITIES,
    ERASE_RECOVERY_CODES,
    ERASE_INVITATION,
    ERASE_ATTEMPTS,
)


async def erase_account(connection: Connection, user_id: str, email: str, at: datetime) -> bool:
    """Erase everything personal and leave a tombstone; tell whether there was anything left to erase."""
    if await connection.execute(ERASE_USER, user_id, at) != "UPDATE 1":
        return False
    await connection.execute(ERASE_KEYS, user_id, at)
    await connection.execute(LEAVE_ORGANIZATION, user_id, at)
    for query in ERASED:
        await connection.execute(query, user_id)
    for query in (ERASE_TOKENS, ERASE_MAILS):
        await connection.execute(query, user_id, email)
    return True
