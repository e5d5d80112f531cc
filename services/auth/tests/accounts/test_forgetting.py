"""What auth keeps for so long goes then, whatever there is of it: in statements of some rows."""

from __future__ import annotations

from datetime import UTC, datetime

import asyncpg
import pytest

from servicekit.postgres import MOST_DELETED
from services.auth.accounts.store.login_attempts import LoginAttemptStore
from services.auth.accounts.store.mailed_tokens import MailedTokenStore
from services.auth.accounts.store.mails import MailStore
from services.auth.oauth.store.codes import CodeStore
from services.auth.oauth.store.grants import FORGET_GRANTS, GrantStore
from services.auth.oauth.store.refresh_tokens import RefreshStore
from services.auth.shared.store.revocations import RevocationStore
from tools.testing.bounded_deletes import admin_of, bound_deletes, bound_updates
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
    "oauth_grants": """
        WITH owner AS (INSERT INTO auth.users (id, email) VALUES ('user-1', 'vera@example.ru') RETURNING id)
        INSERT INTO auth.oauth_grants
            (id, kind, client_id, user_id, consent_id, scopes, created_at, last_used_at, revoked_at, expires_at)
        SELECT 'grant-' || n, 'authorization_code', 'razvilka-exchange', owner.id, 'grant-' || n, '{}', '2025-01-01',
            '2025-01-01', CASE WHEN n % 2 = 0 THEN '2025-01-02'::timestamptz END,
            CASE WHEN n % 2 = 1 THEN '2025-01-02'::timestamptz END
        FROM owner, generate_series(1, $1) AS n
    """,
    "oauth_codes": """
        WITH owner AS (INSERT INTO auth.users (id, email) VALUES ('user-1', 'vera@example.ru') RETURNING id)
        INSERT INTO auth.oauth_codes
            (code_hash, client_id, user_id, grant_id, consent_id, redirect_uri, code_challenge, scopes, models,
             session_id, authenticated_at, created_at, expires_at)
        SELECT sha256(n::text::bytea), 'razvilka-exchange', owner.id, n::text, n::text, 'https://a.example/',
            repeat('c', 43), '{}', '{}', 'session-1', '2025-01-01', '2025-01-01', '2025-01-02'
        FROM owner, generate_series(1, $1) AS n
    """,
    "mails": """
        INSERT INTO auth.mails (kind, email, language, created_at, expires_at, next_attempt_at)
        SELECT 'register', 'vera@example.ru', 'ru', '2025-01-01', '2025-01-02', '2025-01-02' FROM generate_series(1, $1)
    """,
    "revocations": """
        INSERT INTO auth.revocations (kind, subject_id, revoked_at, until, published_at)
        SELECT 'token', n::text, '2025-01-01', '2025-01-02', '2025-01-01' FROM generate_series(1, $1) AS n
    """,
}


async def forget(pool: asyncpg.Pool[asyncpg.Record], table: str) -> None:
    match table:
        case "login_attempts":
            await LoginAttemptStore(pool).forget_before(NOW)
        case "mailed_tokens":
            await MailedTokenStore(pool).forget_over(NOW)
        case "oauth_refresh_tokens":
            await RefreshStore(pool).forget(NOW)
        case "oauth_grants":
            await GrantStore(pool).forget(NOW)
        case "oauth_codes":
            await CodeStore(pool).forget(NOW)
        case "mails":
            assert await MailStore(pool).forget_over(NOW) == 2 * MOST_DELETED + 1
        case "revocations":
            await RevocationStore(pool).forget_over(NOW)


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


async def test_salts_of_many_used_tokens_are_cleared_in_statements_of_some(
    auth_pool: asyncpg.Pool[asyncpg.Record], databases: Databases
) -> None:
    """It comes first of all that is cleaned: as one statement without end it kept everything else, too."""
    async with admin_of(auth_pool, databases) as admin:
        await bound_updates(admin, "auth.oauth_refresh_tokens", MOST_DELETED)
        await auth_pool.execute(PLANTED["oauth_refresh_tokens"], 2 * MOST_DELETED + 1)
        await admin.execute("ALTER TABLE auth.oauth_refresh_tokens DISABLE TRIGGER bound_update")
        await admin.execute("UPDATE auth.oauth_refresh_tokens SET used_at = '2025-01-01', successor_salt = sha256('s')")
        await admin.execute("ALTER TABLE auth.oauth_refresh_tokens ENABLE TRIGGER bound_update")

    await RefreshStore(auth_pool).clear_salts(NOW)

    kept = "SELECT count(*) FROM auth.oauth_refresh_tokens WHERE successor_salt IS NOT NULL"
    assert await auth_pool.fetchval(kept) == 0


async def test_grants_that_are_over_are_found_by_an_index(auth_pool: asyncpg.Pool[asyncpg.Record]) -> None:
    """All grants of all people were looked through each hour."""
    async with auth_pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        plan = [row[0] for row in await connection.fetch("EXPLAIN " + FORGET_GRANTS, NOW, 100)]

    assert any("oauth_grants_over_idx" in line for line in plan), plan
