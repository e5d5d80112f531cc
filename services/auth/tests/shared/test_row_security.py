"""The second wall: PostgreSQL itself keeps one user's credentials from a transaction that is another's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import asyncpg
import pytest

from services.auth.shared.store.named_user import EVERYBODY, reading_rows_of, rows_of

NOON: Final = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
# Table -> the column that says whose a row is.
WALLED: Final = {
    "api_keys": "user_id",
    "budgets": "user_id",
    "external_identities": "user_id",
    "invitations": "user_id",
    "model_names": "user_id",
    "oauth_clients": "owner_user_id",
    "oauth_codes": "user_id",
    "oauth_grants": "user_id",
    "organization_members": "user_id",
    "recovery_codes": "user_id",
}
# Mails, mailed tokens and attempts to log in are there before there is an account, and are found by address.
NOBODYS: Final = {"login_attempts", "mailed_tokens", "mails"}
USERS: Final = ("alice", "bob")
SEEN: Final = {
    table: f"SELECT DISTINCT {column} FROM auth.{table} WHERE {column} IS NOT NULL ORDER BY 1"
    for table, column in WALLED.items()
}


async def plant(pool: asyncpg.Pool[asyncpg.Record]) -> None:
    """Give each of two people a row in each of the tables."""
    for user in USERS:
        await pool.execute("INSERT INTO auth.users (id, email) VALUES ($1, $1 || '@example.ru')", user)
        await pool.execute(
            "INSERT INTO auth.api_keys (id, user_id, key_hash, name, created_at)"
            " VALUES ($1, $1, encode(sha256($1::text::bytea), 'hex'), 'laptop', $2)",
            *(user, NOON),
        )
        await pool.execute(
            "INSERT INTO auth.external_identities (issuer, subject, user_id, created_at, last_used_at)"
            " VALUES ('https://id.example.ru', $1, $1, $2, $2)",
            *(user, NOON),
        )
        await pool.execute("INSERT INTO auth.invitations VALUES ($1, $1 || '@example.ru', ascii($1), $2)", user, NOON)
        await pool.execute(
            "INSERT INTO auth.model_names (user_id, names, updated_at) VALUES ($1, '{}', $2)", user, NOON
        )
        await pool.execute(
            "INSERT INTO auth.budgets (id, user_id, subject, measure, period, amount, mode, by_admin, created_at,"
            " updated_at) VALUES ($1, $1, 'user:' || $1, 'cost', 'day', 1, 'hard', false, $2, $2)",
            *(user, NOON),
        )


@pytest.fixture
async def pool(auth_pool: asyncpg.Pool[asyncpg.Record]) -> asyncpg.Pool[asyncpg.Record]:
    """Return a pool of the service's role, on a database with rows of two people."""
    await plant(auth_pool)
    return auth_pool


async def seen(connection: Any, table: str = "api_keys") -> list[str]:
    return [row[0] for row in await connection.fetch(SEEN[table])]


@pytest.mark.parametrize("table", ["api_keys", "budgets", "external_identities", "invitations", "model_names"])
async def test_a_statement_without_where_brings_only_the_rows_of_whom_it_is_for(pool: Any, table: str) -> None:
    """What a query forgets, PostgreSQL does not."""
    async with reading_rows_of(pool, "alice") as connection:
        assert await seen(connection, table) == ["alice"]
    async with reading_rows_of(pool, "eve") as connection:
        assert await seen(connection, table) == []


async def test_another_users_rows_cannot_be_changed_or_added(pool: Any) -> None:
    """Nor given away."""
    async with pool.acquire() as connection, connection.transaction(), rows_of(connection, "alice"):
        assert await connection.execute("UPDATE auth.api_keys SET name = 'mine'") == "UPDATE 1"
        assert await connection.execute("DELETE FROM auth.api_keys WHERE user_id = 'bob'") == "DELETE 0"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with connection.transaction():
                await connection.execute("UPDATE auth.api_keys SET user_id = 'bob'")


async def test_afterwards_the_transaction_sees_everybody_again(pool: Any) -> None:
    """What ends with its maker may be another's: a wall there would leave it alive."""
    async with pool.acquire() as connection, connection.transaction():
        async with rows_of(connection, "alice"):
            during = await seen(connection)
        after = await seen(connection)

    assert (during, after) == (["alice"], ["alice", "bob"])


async def test_a_connection_that_comes_back_to_the_pool_names_nobody(auth_dsn: str) -> None:
    """Not even when the transaction failed in between."""
    async with asyncpg.create_pool(auth_dsn, min_size=0, max_size=1) as pool:
        await plant(pool)
        with pytest.raises(asyncpg.DivisionByZeroError):
            async with pool.acquire() as connection, connection.transaction(), rows_of(connection, "alice"):
                await connection.execute("SELECT 1 / 0")

        assert await seen(pool) == list(USERS)


async def test_nobody_is_everybody(pool: Any) -> None:
    """A key is looked up before anybody knows whose it is; so is an application by an administrator."""
    async with reading_rows_of(pool, EVERYBODY) as connection:
        assert await seen(connection) == list(USERS)
    assert await seen(pool) == list(USERS)


async def test_every_table_with_an_owner_has_the_wall(pool: Any) -> None:
    """A new table of somebody's rows must not be forgotten."""
    rows = await pool.fetch(
        """
        SELECT c.relname AS name, c.relrowsecurity AND EXISTS (
                   SELECT FROM pg_policies AS p
                   WHERE p.schemaname = 'auth' AND p.tablename = c.relname AND p.policyname = 'of_the_named_user'
               ) AS guarded
        FROM pg_class AS c
        JOIN pg_namespace AS n ON n.oid = c.relnamespace
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname IN ('user_id', 'owner_user_id')
        WHERE n.nspname = 'auth' AND c.relkind IN ('r', 'p')
        """
    )

    assert {row["name"] for row in rows if row["guarded"]} == set(WALLED)
    assert {row["name"] for row in rows if not row["guarded"]} == NOBODYS


async def test_what_makers_made_is_looked_for_in_front_of_the_wall(pool: Any) -> None:
    """Behind it the index of makers is not used: a revocation would read every key there is."""
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        plan = await connection.fetch(
            "EXPLAIN UPDATE auth.api_keys SET revoked_at = now() WHERE id IN (SELECT auth.keys_made_by(ARRAY['key:x']))"
        )
        walled = await connection.fetch("EXPLAIN SELECT id FROM auth.api_keys WHERE makers && ARRAY['key:x']")

    assert "api_keys_pkey" in str(plan)
    assert "api_keys_makers_idx" not in str(walled)
