"""Schema auth: what its role may do, what the tables refuse, and that every query fits them."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import TypeAlias

import asyncpg
import pytest

from services import auth
from services.auth.shared.domain.audit import AuditAction, AuditEvent
from services.auth.shared.store.audit_log import append_event
from tools.testing.statements import statements_of, unprepared

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


async def test_a_fresh_database_has_no_account(auth_pool: Pool) -> None:
    """Nobody is there by default: the first administrator is made by somebody who holds an operator's certificate."""
    assert await auth_pool.fetchval("SELECT count(*) FROM auth.users") == 0
    assert await auth_pool.fetchval("SELECT count(*) FROM auth.api_keys") == 0


async def test_every_query_prepares(auth_pool: Pool) -> None:
    """Each query fits the migrated schema and is allowed to the service's role."""
    faults = await unprepared(auth_pool, auth)

    # None found would prove nothing.
    assert (faults, len(statements_of(auth)) > 200) == ({}, True)


@pytest.mark.parametrize("schema", ["router", "usage"])
async def test_role_cannot_touch_other_schemas(auth_pool: Pool, schema: str) -> None:
    """The service's role has no rights in its neighbours' schemas."""
    allowed = await auth_pool.fetchval("SELECT has_schema_privilege(current_user, $1, 'USAGE, CREATE')", schema)

    assert allowed is False


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE auth.mine (id int)",
        "DROP TABLE auth.api_keys",
        "ALTER TABLE auth.api_keys ADD COLUMN note text",
        "TRUNCATE auth.users CASCADE",
        "UPDATE auth.audit_log SET actor = 'user:nobody'",
        "DELETE FROM auth.audit_log",
        "TRUNCATE auth.audit_log",
        "ALTER TABLE auth.audit_log DISABLE TRIGGER audit_log_seal",
        "SET session_replication_role = replica",
        "CREATE TABLE public.mine (id int)",
    ],
)
async def test_role_cannot_run(auth_pool: Pool, statement: str) -> None:
    """No DDL at run time, and no change of what the audit log holds."""
    async with auth_pool.acquire() as connection, connection.transaction():
        await append_event(connection, AuditEvent(NOON, "system", AuditAction.USER_CREATED, "user:1"))

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await auth_pool.execute(statement)


async def test_rows_of_release_1_0_fit_as_they_are(auth_pool: Pool) -> None:
    """The columns of 1.0 are enough for a user and a key that work."""
    digest = hashlib.sha256(b"a key of 1.0").hexdigest()

    await auth_pool.execute(
        "INSERT INTO auth.users (id, email, created_at, updated_at) VALUES ($1, $2, $3, $3)", "7", "old@x.ru", NOON
    )
    await auth_pool.execute(
        "INSERT INTO auth.api_keys (id, user_id, key_hash, name, created_at, expires_at, last_used_at)"
        " VALUES ($1, $2, $3, $4, $5, NULL, NULL)",
        *("k7", "7", digest, "old", NOON),
    )

    row = await auth_pool.fetchrow("SELECT hash_kind, scopes FROM auth.api_keys")
    assert row is not None
    assert row["hash_kind"] == "sha256"
    assert sorted(row["scopes"]) == ["completions:write", "embeddings:write", "models:read", "usage:read"]


async def test_two_capitalisations_of_an_address_are_one(auth_pool: Pool) -> None:
    """The e-mail is unique whatever its case, Cyrillic included."""
    insert = "INSERT INTO auth.users (id, email) VALUES ($1, $2)"
    await auth_pool.execute(insert, "1", "Анна@пример.рф")

    with pytest.raises(asyncpg.UniqueViolationError):
        await auth_pool.execute(insert, "2", "анна@ПРИМЕР.рф")
