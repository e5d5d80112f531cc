"""Administrators read the audit log, and have its chain checked."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import asyncpg
import pytest
from razvilka.auth.v1 import administration_pb2 as pb

from services.auth.administration import audit
from services.auth.administration.store.audit_rows import READ_BEFORE
from services.auth.tests.administration.conftest import Asking
from tools.testing.bounded_deletes import admin_of
from tools.testing.databases import Databases

FORGE = "UPDATE auth.audit_log SET actor = 'user:other' WHERE seq = 2"
INSERT = """
INSERT INTO auth.audit_log (at, actor, action, subject, details)
SELECT now(), 'system', 'key.created', 'key:' || n, '{}' FROM generate_series(1, $1::int) AS n
"""
# The oldest row is the only one of its kind, whatever is asked for.
PLANT_ROWS = """
INSERT INTO auth.audit_log (seq, at, actor, action, subject, details, previous_hash, hash)
SELECT n, now(), CASE n WHEN 1 THEN 'rare' ELSE 'usual' END, CASE n WHEN 1 THEN 'rare' ELSE 'usual' END,
    CASE n WHEN 1 THEN 'rare' ELSE 'usual' END, '{}', sha256(n::text::bytea), sha256((n + 1)::text::bytea)
FROM generate_series(1, 20000) AS n
"""


async def test_the_newest_rows_come_first_and_can_be_asked_for_one_by_one(
    asking: Asking, auth_pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    """Page by page; by subject, actor and action alone or together."""
    await auth_pool.execute(INSERT, 3)

    first = await asking.call(pb.ListAuditEventsRequest(action="key.created", limit=2))
    rest = await asking.call(pb.ListAuditEventsRequest(action="key.created", limit=2, before=first.rows[-1].number))
    one = await asking.call(pb.ListAuditEventsRequest(actor="system", action="key.created", subject="key:2"))

    assert [row.subject for row in (*first.rows, *rest.rows)] == ["key:3", "key:2", "key:1"]
    assert (first.has_more, rest.has_more) == (True, False)
    assert [row.subject for row in one.rows] == ["key:2"]
    assert (await asking.call(pb.ListAuditEventsRequest(subject="key:9"))).rows == []


@pytest.mark.parametrize("before", [2**31, 2**63 - 1])
async def test_rows_before_any_number_are_told(
    asking: Asking, auth_pool: asyncpg.Pool[asyncpg.Record], before: int
) -> None:
    """Also before one that no log has reached."""
    await auth_pool.execute(INSERT, 1)

    found = await asking.call(pb.ListAuditEventsRequest(action="key.created", before=before))

    assert [row.subject for row in found.rows] == ["key:1"]


async def test_a_whole_chain_is_said_to_be_whole(asking: Asking, auth_pool: asyncpg.Pool[asyncpg.Record]) -> None:
    """Over more rows than are read at once."""
    await auth_pool.execute(INSERT, audit.BATCH + 1)
    last = await auth_pool.fetchrow("SELECT seq, hash FROM auth.audit_log ORDER BY seq DESC LIMIT 1")

    found = await asking.call(pb.CheckAuditLogRequest())

    assert last is not None
    assert (found.checked, found.broken_at, found.complete, found.head_hash) == (last["seq"], 0, True, last["hash"])


async def test_a_forged_row_is_found(
    asking: Asking, auth_pool: asyncpg.Pool[asyncpg.Record], auth_dsn: str, databases: Databases
) -> None:
    """Also one that was checked before it was forged, by whoever could switch the triggers off."""
    await auth_pool.execute(INSERT, 3)
    whole = await asking.call(pb.CheckAuditLogRequest())
    owner = await asyncpg.connect(databases.dsn("auth", urlsplit(auth_dsn).path[1:], owner=True))
    await owner.execute("ALTER TABLE auth.audit_log DISABLE TRIGGER USER")
    await owner.execute(FORGE)
    await owner.close()

    found = await asking.call(pb.CheckAuditLogRequest())

    assert (whole.broken_at, found.broken_at, found.checked, found.complete) == (0, 2, 1, True)


@pytest.mark.parametrize("column", ["actor", "action", "subject"])
async def test_what_is_rare_is_found_without_a_look_at_the_whole_log(
    auth_pool: asyncpg.Pool[asyncpg.Record], databases: Databases, column: str
) -> None:
    """Of millions of rows the search for one took longer than it may, and nothing was answered."""
    async with admin_of(auth_pool, databases) as admin:
        await admin.execute("SET session_replication_role = replica")
        await admin.execute(PLANT_ROWS)
        await admin.execute("ANALYZE auth.audit_log")
    asked = ["rare" if each == column else "" for each in ("actor", "action", "subject")]

    plan = await auth_pool.fetchval("EXPLAIN (ANALYZE, FORMAT json) " + READ_BEFORE, 0, *asked, 50)

    removed = sum(map(int, re.findall(r'"Rows Removed by Filter": (\d+)', plan)))
    assert (removed, '"Actual Rows": 1' in plan) == (0, True)
