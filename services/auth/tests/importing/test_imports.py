"""Accounts and keys of another installation: once, whatever is sent twice, and back again."""

from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime
from typing import Any, TypeAlias

import asyncpg
from razvilka.auth.v1 import auth_pb2 as pb

from services.auth.importing.imports import Imports
from services.auth.importing.records import Arrival, ImportedAccount, ImportedKey
from services.auth.importing.taking_back import take_back
from services.auth.shared.domain.tier import Tier
from services.auth.tests.conftest import AuthCaller

WHEN = datetime(2025, 3, 4, 12, tzinfo=UTC)


def account(id: str, email: str) -> ImportedAccount:
    """Return an account."""
    return ImportedAccount(id, email, Tier.PRO, WHEN, WHEN, f"users/{id}")


def key(id: str, user_id: str, secret: str = "rz_live_secret", **changes: Any) -> ImportedKey:
    """Return a key."""
    hash_ = hashlib.sha256(secret.encode()).hexdigest()
    return ImportedKey(id, user_id, hash_, "laptop", WHEN, None, None, f"api_keys/{id}", **changes)


Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


async def test_what_is_sent_twice_is_there_once(auth_pool: Pool) -> None:
    imports = Imports(auth_pool, "old.db")
    accounts, keys = [account("u", "a@b.ru"), account("{v}:1", "c@b.ru")], [key("k", "u")]

    first = [await imports.accounts(accounts), await imports.keys(keys)]
    again = [await imports.accounts(accounts), await imports.keys(keys)]

    assert [set(arrivals.values()) for arrivals in first] == [{Arrival.INSERTED}] * 2
    assert [set(arrivals.values()) for arrivals in again] == [{Arrival.THERE_BEFORE}] * 2
    row = await auth_pool.fetchrow("SELECT * FROM auth.users WHERE id = 'u'")
    assert row is not None
    assert (row["email"], row["tier"], row["created_at"], row["password_hash"]) == ("a@b.ru", "pro", WHEN, None)


async def test_an_imported_key_verifies_as_it_always_did(auth: AuthCaller, auth_pool: Pool) -> None:
    """And is kept as a keyed hash from its first use on."""
    imports = Imports(auth_pool, "old.db")
    await imports.accounts([account("u", "a@b.ru")])
    await imports.keys([key("k", "u")])

    caller = await auth.verify("rz_live_secret")

    assert (caller.user_id, caller.key_id, caller.tier, caller.from_1_0) == ("u", "k", pb.TIER_PRO, True)
    async with asyncio.timeout(60):
        while await auth_pool.fetchval("SELECT hash_kind FROM auth.api_keys WHERE id = 'k'") != "hmac-sha256":
            await asyncio.sleep(0.01)


async def test_what_cannot_arrive_is_told_by_its_reason(auth_pool: Pool) -> None:
    """The database is asked which addresses are one."""
    await Imports(auth_pool, "first.db").accounts([account("u", "i@b.ru")])
    await Imports(auth_pool, "first.db").keys([key("k", "u")])
    imports = Imports(auth_pool, "second.db")

    accounts = await imports.accounts([account("u", "other@b.ru"), account("w", "I@B.ru"), account("x", "x@b.ru")])
    keys = await imports.keys([key("k", "x", "other"), key("l", "x"), key("m", "nobody", "third")])

    assert accounts == {"u": Arrival.ID_TAKEN, "w": Arrival.ADDRESS_TAKEN, "x": Arrival.INSERTED}
    assert keys == {"k": Arrival.ID_TAKEN, "l": Arrival.HASH_TAKEN, "m": Arrival.NO_OWNER}


async def test_taking_back_leaves_what_was_born_here(auth: AuthCaller, auth_pool: Pool) -> None:
    """An account with a key of 1.1 stays, and so does everything of another source."""
    await Imports(auth_pool, "other.db").accounts([account("o", "o@b.ru")])
    imports = Imports(auth_pool, "old.db")
    await imports.accounts([account(name, f"{name}@b.ru") for name in "uvwx"])
    await imports.keys([key("k", "u"), key("l", "v", "second")])
    born_here = await auth.new_key("v", "born here")
    await auth_pool.execute("""
        INSERT INTO auth.budgets (id, user_id, subject, measure, period, amount, mode, by_admin, created_at, updated_at)
        VALUES ('b', 'w', 'user:w', 'cost', 'day', 1, 'hard', false, now(), now())
    """)

    back = await imports.take_back(["x"])

    assert (back.keys, back.accounts) == (["k", "l"], ["u"])
    assert back.staying == [("user", "v", "keys"), ("user", "w", "budgets"), ("user", "x", "requests")]
    users = await auth_pool.fetch("SELECT id FROM auth.users ORDER BY id")
    keys = await auth_pool.fetch("SELECT id FROM auth.api_keys ORDER BY id")
    assert [row["id"] for row in users] == ["o", "v", "w", "x"]
    assert [row["id"] for row in keys] == [born_here.key.id]
    assert (await imports.take_back(["x"])).accounts == []


async def test_taking_back_looks_through_the_keys_as_often_for_many_as_for_few(auth_pool: Pool) -> None:
    """Once for each of them, a move of some ten thousand would take longer than a statement may, and never end."""
    imports, count = Imports(auth_pool, "old.db"), 60
    await imports.accounts([account(f"u{each}", f"{each}@b.ru") for each in range(count)])
    await imports.keys([key(f"k{each}", f"u{each}", f"rz_live_{each}") for each in range(count)])

    async with auth_pool.acquire() as connection, connection.transaction():
        keys, accounts, _ = await take_back(connection, "old.db", ())
        scans = await connection.fetchval("SELECT seq_scan FROM pg_stat_xact_user_tables WHERE relname = 'api_keys'")

    assert (len(keys), len(accounts)) == (count, count)
    assert scans < count / 4


async def test_a_key_stays_that_made_another_or_was_rotated(auth: AuthCaller, auth_pool: Pool) -> None:
    imports = Imports(auth_pool, "old.db")
    await imports.accounts([account("u", "u@b.ru")])
    await imports.keys([key(name, "u", f"rz_live_{name}") for name in ("made", "led", "both", "none")])
    children = [await auth.new_key("u", str(number)) for number in range(4)]
    await auth_pool.executemany(
        "UPDATE auth.api_keys SET makers = $2, lineage_id = coalesce($3, lineage_id) WHERE id = $1",
        [
            (children[0].key.id, ["grant:made", "key:made"], None),
            (children[1].key.id, [], "led"),
            (children[2].key.id, ["key:both"], "both"),
            (children[3].key.id, ["grant:none"], None),
        ],
    )

    back = await imports.take_back()

    assert back.keys == ["none"]
    assert [each for each in back.staying if each[0] == "key"] == [
        ("key", "both", "keys that it made"), ("key", "led", "the key that followed it"),
        ("key", "made", "keys that it made"),
    ]  # fmt: skip
