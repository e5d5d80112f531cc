"""What auth keeps for so long goes then, whatever there is of it: in statements of some rows."""

from __future__ import annotations

from datetime import UTC, datetime

import asyncpg
import pytest

from servicekit.postgres import MOST_DELETED
from services.auth.accounts.store.login_attempts import LoginAttemptStore
from services.auth.accounts.store.mailed_tokens import MailedTokenStore
from services.auth.oauth.store.refresh_tokens import RefreshStore
from tools.testing.bounded_deletes import admin_of, bound_deletes
from tools.testing.databases import Databases

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
PLANTED = {
    "login_attempts": """
        INSERT INTO auth.login_attempts (at, user_id, outcome, ip, user_agent, request_id)
        SELECT '2025-01-01', 'user-1', 'ok', '192.0.2.1', 'x', '' FROM generate_series(1, $1)
    """,
    "mailed_tokens": """
        INSERT INTO auth.mailed_tokens (token_hash, mail_id, purpose, email, language, created_at, expires_at)
        SELECT sha256(n::text::bytea), n, 'register', 'vera@example.ru', 'ru', '2025-01-01', '2025-01-02'
        FROM generate_series(1, $1) AS n
    """,
    "oauth_refresh_tokens": """
        WITH owner AS (
            INSERT INTO auth.users (id, email) VALUES ('user-1', 'vera@example.ru') RETURNING id
        ), held AS (
            INSERT INTO auth.oauth_grants
                (id, kind, client_id, user_id, consent_id, scopes, created_at, last_used_at)
            SELECT 'grant-1', 'authorization_code', 'razvilka-exchange', id, 'grant-1', '{}', now(), now() FROM owner
            RETURNING id
        )
        INSERT INTO auth.oauth_refresh_tokens (token_hash, grant_id, client_id, created_at, expires_at)
        SELECT sha256(n::text::bytea), held.id, 'razvilka-exchange', '2025-01-01', '2025-01-02'
        FROM held, generate_series(1, $1) AS n
    """,
}


async def forget(pool: asyncpg.Pool[asyncpg.Record], table: str) -> None:
    match table:
        case "login_attempts":
            await LoginAttemptStore(pool).forget_before(NOW)
        case "mailed_tokens":
            await MailedTokenStore(pool).forget_over(NOW)
        case _:
            await RefreshStore(pool).forget(NOW)


@pytest.mark.parametrize("table", PLANTED)
async def test_much_that_is_over_goes_in_statements_of_some(
    auth_pool: asyncpg.Pool[asyncpg.Record], databases: Databases, table: str
) -> None:
    """As when AUTH_ACCOUNTS_ATTEMPTS_KEEP_DAYS was made shorter: addresses of people stayed for ever."""
    async with admin_of(auth_pool, databases) as admin:
        await bound_deletes(admin, f"auth.{table}", MOST_DELETED)
    await auth_pool.execute(PLANTED[table], 2 * MOST_DELETED + 1)

    await forget(auth_pool, table)

    assert await auth_pool.fetchval(f"SELECT count(*) FROM auth.{table}") == 0
