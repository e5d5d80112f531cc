"""The audit log's chain: it cannot fork, and every change in it is found."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.auth.shared.audit_check import BATCH, AuditCheck
from services.auth.shared.domain.audit import GENESIS, AuditAction, AuditEvent, AuditRow, entry_hash
from services.auth.shared.store.audit_log import AuditStore, append_event
from tools.testing.databases import Databases

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@pytest.fixture
async def owner(auth_dsn: str, databases: Databases) -> AsyncIterator[asyncpg.Connection[Any]]:
    """Return a connection as the schema's owner with the triggers off: the strongest forger but a superuser."""
    connection = await asyncpg.connect(databases.dsn("auth", urlsplit(auth_dsn).path[1:], owner=True))
    await connection.execute("ALTER TABLE auth.audit_log DISABLE TRIGGER USER")
    yield connection
    await connection.close()


async def append(pool: asyncpg.Pool[Any], number: int = 0, isolation: Any = "read_committed") -> None:
    """Add one event in a transaction of its own."""
    event = AuditEvent(NOON + timedelta(microseconds=number), "system", AuditAction.KEY_CREATED, f"key:{number}")
    async with pool.acquire() as connection, connection.transaction(isolation=isolation):
        await append_event(connection, event)


async def test_the_table_refuses_changes_by_its_owner(auth_pool: asyncpg.Pool[Any], owner: Any) -> None:
    """Without taking the trigger off, even the owner of the schema can't change a row."""
    await owner.execute("ALTER TABLE auth.audit_log ENABLE TRIGGER USER")
    await append(auth_pool)

    for statement in ("UPDATE auth.audit_log SET seq = 9", "DELETE FROM auth.audit_log", "TRUNCATE auth.audit_log"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await owner.execute(statement)


async def test_a_writer_cannot_choose_number_or_hash(auth_pool: asyncpg.Pool[Any]) -> None:
    """Whatever an INSERT says, the row gets the next number and the true hashes."""
    await auth_pool.execute(
        "INSERT INTO auth.audit_log (seq, at, actor, action, subject, details, previous_hash, hash)"
        " VALUES (77, $1, 'a', 'b', 'c', '{}', $2, $2)",
        *(NOON, bytes(range(32))),
    )

    (row,) = await AuditStore(auth_pool).read_after(0, 10)

    assert (row.seq, row.previous_hash) == (1, GENESIS)
    assert row.hash == entry_hash(row)


async def test_concurrent_writers_make_one_chain(auth_pool: asyncpg.Pool[Any]) -> None:
    """Forty writers at once: forty rows, one after the other."""
    await asyncio.gather(*(append(auth_pool, number) for number in range(40)))

    assert await AuditCheck(AuditStore(auth_pool)).run() is None
    assert [row.seq for row in await AuditStore(auth_pool).read_after(0, 100)] == list(range(1, 41))


async def test_a_writer_with_an_old_snapshot_cannot_fork_the_chain(auth_pool: asyncpg.Pool[Any]) -> None:
    """A transaction that does not see the newest row fails instead of following an older one."""
    await append(auth_pool, 1)
    async with auth_pool.acquire() as connection:
        transaction = connection.transaction(isolation="repeatable_read")
        await transaction.start()
        await connection.fetchval("SELECT count(*) FROM auth.audit_log")
        await append(auth_pool, 2)

        with pytest.raises(asyncpg.UniqueViolationError):
            await append_event(connection, AuditEvent(NOON, "system", AuditAction.KEY_CREATED, "key:3"))
        await transaction.rollback()

    assert await AuditCheck(AuditStore(auth_pool)).run() is None


async def test_a_rolled_back_event_leaves_no_gap(auth_pool: asyncpg.Pool[Any]) -> None:
    """The next row takes the number of the one that did not happen."""
    await append(auth_pool, 1)
    async with auth_pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await append_event(connection, AuditEvent(NOON, "system", AuditAction.KEY_CREATED, "key:2"))
        await transaction.rollback()
    await append(auth_pool, 3)

    assert await AuditCheck(AuditStore(auth_pool)).run() is None


@pytest.mark.parametrize(
    ("forgery", "found_at"),
    [
        pytest.param("UPDATE auth.audit_log SET actor = 'user:other' WHERE seq = 3", 3, id="another actor"),
        pytest.param("UPDATE auth.audit_log SET details = '{ }' WHERE seq = 3", 3, id="one blank more"),
        pytest.param(
            "UPDATE auth.audit_log SET at = at + interval '1 microsecond' WHERE seq = 4", 4, id="a moment later"
        ),
        pytest.param(
            "UPDATE auth.audit_log SET actor = 'systemk', action = 'ey.created' WHERE seq = 2", 2, id="a border moved"
        ),
        pytest.param("DELETE FROM auth.audit_log WHERE seq = 3", 3, id="a row removed"),
        pytest.param("DELETE FROM auth.audit_log WHERE seq = 1", 1, id="the first row removed"),
        pytest.param("UPDATE auth.audit_log SET seq = seq + 100 WHERE seq = 5", 5, id="another number"),
        pytest.param("UPDATE auth.audit_log SET actor = 'x', hash = sha256('x') WHERE seq = 3", 3, id="a made-up hash"),
    ],
)
async def test_tampering_is_found(auth_pool: asyncpg.Pool[Any], owner: Any, forgery: str, found_at: int) -> None:
    """Each change is found at its row, even when whoever made it could switch the triggers off."""
    await owner.execute("ALTER TABLE auth.audit_log ENABLE TRIGGER USER")
    for number in range(5):
        await append(auth_pool, number)
    await owner.execute("ALTER TABLE auth.audit_log DISABLE TRIGGER USER")

    await owner.execute(forgery)

    assert await AuditCheck(AuditStore(auth_pool)).run() == found_at


async def test_the_check_goes_on_where_it_stopped(auth_pool: asyncpg.Pool[Any]) -> None:
    """More rows than one batch, and rows that come later, are all walked."""
    await auth_pool.execute(
        "INSERT INTO auth.audit_log (at, actor, action, subject, details)"
        " SELECT $1, 'system', 'key.created', 'key:' || n, '{}' FROM generate_series(1, $2) AS n",
        *(NOON, BATCH + 1),
    )
    check = AuditCheck(AuditStore(auth_pool))
    first = await check.run()

    await append(auth_pool)

    assert first is None
    assert await check.run() is None
    assert await auth_pool.fetchval("SELECT max(seq) FROM auth.audit_log") == BATCH + 2


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8)


@given(TEXT, TEXT, TEXT, TEXT)
def test_no_two_rows_hash_alike(actor: str, action: str, other_actor: str, other_action: str) -> None:
    """The borders between the parts count."""
    one = AuditRow(1, NOON, actor, action, "s", "{}", GENESIS, b"")
    two = AuditRow(1, NOON, other_actor, other_action, "s", "{}", GENESIS, b"")

    assert (entry_hash(one) == entry_hash(two)) == ((actor, action) == (other_actor, other_action))


async def test_python_and_postgresql_compute_the_same_hash(auth_pool: asyncpg.Pool[Any]) -> None:
    """Cyrillic, emoji, quotes, and a time in another zone."""
    timestamp = datetime.fromisoformat("1999-01-02T03:04:05.000607+09:00")
    event = AuditEvent(timestamp, 'user:"я"', AuditAction.KEY_REVOKED, "key:🔑\n", {"a": "é\\", "б": "\t"})
    async with auth_pool.acquire() as connection, connection.transaction():
        await append_event(connection, event)

    (row,) = await AuditStore(auth_pool).read_after(0, 10)

    assert entry_hash(row) == row.hash
