"""What grows with all accounts is found by an index, also behind row security, which hides some from joins."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import asyncpg
import pytest

from services.auth.budgets.store import caps as set_caps
from services.auth.keys.store import api_keys
from services.auth.owners import store as owners
from services.auth.shared.store import caps, revocations
from tools.testing.bounded_deletes import admin_of
from tools.testing.databases import Databases

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
# Small tables are read whole and joined by hashing. What is left then is what the statement cannot do otherwise.
AS_IF_LARGE = ("seqscan", "hashjoin", "mergejoin", "bitmapscan", "material", "memoize")


async def conditions(pool: Pool, statement: str) -> list[str]:
    """Return by which conditions a statement uses indexes, whatever its values."""
    async with pool.acquire() as connection, connection.transaction():
        values = ", ".join(["NULL"] * len((await connection.prepare(statement)).get_parameters()))
        for way in AS_IF_LARGE:
            await connection.execute(f"SET LOCAL enable_{way} = off")
        await connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        await connection.execute(f"PREPARE asked AS {statement}")
        try:
            plan = await connection.fetch(f"EXPLAIN (COSTS off) EXECUTE asked({values})")
        finally:
            await connection.execute("DEALLOCATE asked")
    return [line[0].strip() for line in plan if "Index Cond" in line[0]]


@pytest.mark.parametrize(
    ("statement", "condition"),
    [
        pytest.param(caps.FIND_CAPS, "(subject = shared.subject)", id="what-caps-a-credential"),
        pytest.param(set_caps.LIST_CAPS, "(subject = shared.subject)", id="budgets-of-a-user"),
        pytest.param(
            set_caps.LIST_OF_ORGANIZATION, "(subject = ('organization:'::text || $1))", id="of-an-organization"
        ),
        pytest.param(owners.FIND_ORGANIZATION_BUDGETS, "(subject = capped.subject)", id="told-of-organizations"),
        pytest.param(owners.FIND_SET_BUDGETS, "(id = b.key_id)", id="told-of-keys"),
        pytest.param(
            owners.FIND_SET_BUDGETS, "((user_id = b.user_id) AND (lineage_id = b.key_id))", id="told-of-lines-of-keys"
        ),
        pytest.param(owners.FIND_SET_BUDGETS, "(consent_id = b.consent_id)", id="told-of-consents"),
    ],
)
async def test_what_one_account_asks_reads_no_rows_of_all_others(
    auth_pool: Pool, statement: str, condition: str
) -> None:
    """Each key of an organization's member that was verified read the budgets of all accounts: 50 ms of 150,000."""
    assert f"Index Cond: {condition}" in await conditions(auth_pool, statement)


async def test_keys_that_were_revoked_are_not_counted_one_by_one(auth_pool: Pool) -> None:
    """Who rotates a key each minute made each next one dearer."""
    async with auth_pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        await connection.execute("INSERT INTO auth.users (id, email) VALUES ('vera', 'vera@example.ru')")
        await connection.execute(
            "INSERT INTO auth.api_keys (id, user_id, key_hash, revoked_at) "
            "SELECT n, 'vera', encode(sha256(n::text::bytea), 'hex'), now() FROM generate_series(1, 2000) AS n"
        )
        await connection.execute("ANALYZE auth.api_keys")
        plan = await connection.fetch("EXPLAIN " + api_keys.COUNT_LIVE_KEYS, "vera", datetime.now(UTC))

    assert any("api_keys_live_idx" in line[0] for line in plan), plan


async def test_what_ended_lately_is_found_without_all_that_ended_in_an_hour(
    auth_pool: Pool, databases: Databases
) -> None:
    """Each gateway asks every two seconds: after a hundred thousand revocations each question read them all."""
    async with admin_of(auth_pool, databases) as admin:
        await admin.execute(
            "INSERT INTO auth.revocations (kind, subject_id, revoked_at, until) "
            "SELECT 'token', n::text, now() - n * interval '100 ms', now() + interval '1 h' "
            "FROM generate_series(1, 20000) AS n"
        )
        await admin.execute("ANALYZE auth.revocations")

    asked = datetime.now(UTC), datetime.now(UTC) - timedelta(seconds=10), 0, 1000
    plan = await auth_pool.fetchval("EXPLAIN (ANALYZE, FORMAT json) " + revocations.READ_SINCE, *asked)

    assert sum(map(int, re.findall(r'"Rows Removed by Filter": (\d+)', plan))) == 0
    assert "revocations_revoked_at_idx" in plan
