"""What another installation changes after its accounts and keys were brought, and what was changed here meanwhile."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias

import asyncpg
import pytest

from servicekit.errors import Unauthenticated
from services.auth.importing.following import Change, Following, Outcome
from services.auth.importing.imports import Imports
from services.auth.importing.records import ImportedAccount, ImportedKey
from services.auth.shared.domain.tier import Tier
from services.auth.tests.conftest import AuthCaller

WHEN: Final = datetime(2025, 3, 4, 12, tzinfo=UTC)
LATER: Final = WHEN + timedelta(days=400)
SECRET: Final = "rz_live_secret"
ACCOUNT: Final = ImportedAccount("u", "a@b.ru", Tier.PRO, WHEN, WHEN, "u")
KEY: Final = ImportedKey("k", "u", hashlib.sha256(SECRET.encode()).hexdigest(), "laptop", WHEN, None, None, "k")
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


@pytest.fixture
async def following(auth_pool: Pool) -> Following:
    """Return the entrance of a source that has brought an account and a key."""
    imports = Imports(auth_pool, "old.db")
    await imports.accounts([ACCOUNT])
    await imports.keys([KEY])
    return Following(auth_pool, "old.db")


async def said(changes: AbstractAsyncContextManager[list[Change]]) -> list[tuple[str, Outcome]]:
    """Commit changes; return what each was."""
    async with changes as found:
        return [(each.field, each.outcome) for each in found]


async def test_what_changed_there_is_written_and_what_changed_here_stays(following: Following, auth_pool: Pool) -> None:
    await auth_pool.execute("UPDATE auth.api_keys SET name = 'renamed here'")
    account = replace(ACCOUNT, email="new@b.ru", tier=Tier.ENTERPRISE)
    key = replace(KEY, name="renamed there", expires_at=LATER, last_used_at=LATER)

    first = [await said(following.accounts([account])), await said(following.keys([key]))]
    again = [await said(following.accounts([account])), await said(following.keys([key]))]

    assert first == [
        [("email", Outcome.WRITTEN), ("tier", Outcome.WRITTEN)],
        [("name", Outcome.KEPT), ("expires_at", Outcome.WRITTEN)],
    ]
    assert again == [[], []]
    row = await auth_pool.fetchrow(
        "SELECT u.email, u.tier, k.name, k.expires_at, k.last_used_at FROM auth.users AS u, auth.api_keys AS k"
    )
    assert row is not None
    assert tuple(row) == ("new@b.ru", "enterprise", "renamed here", LATER, LATER)


async def test_a_key_that_was_hashed_anew_here_is_never_written_back(
    auth: AuthCaller, following: Following, auth_pool: Pool
) -> None:
    """Another secret that its owner was given there counts, though."""
    await auth.verify(SECRET)
    async with asyncio.timeout(60):
        while await auth_pool.fetchval("SELECT hash_kind FROM auth.api_keys") != "hmac-sha256":
            await asyncio.sleep(0.01)

    assert await said(following.keys([replace(KEY, last_used_at=LATER)])) == []
    assert await auth_pool.fetchval("SELECT hash_kind FROM auth.api_keys") == "hmac-sha256"
    other = hashlib.sha256(b"rz_live_other").hexdigest()
    assert await said(following.keys([replace(KEY, key_hash=other)])) == [("key_hash", Outcome.WRITTEN)]
    assert (await auth.verify("rz_live_other")).key_id == "k"


async def test_a_key_that_is_not_there_any_more_verifies_for_nobody_until_it_is_back(
    auth: AuthCaller, following: Following, auth_pool: Pool
) -> None:
    assert await said(following.withdrawn("key", ["k"])) == [("", Outcome.DISABLED)]
    with pytest.raises(Unauthenticated):
        await auth.verify(SECRET)
    assert await Imports(auth_pool, "old.db").kept_keys() == {}

    assert await said(following.keys([KEY])) == [("", Outcome.ENABLED)]
    assert (await auth.verify(SECRET)).key_id == "k"
    told = await auth_pool.fetch("SELECT action FROM auth.audit_log ORDER BY seq")
    assert [row["action"] for row in told][:2] == ["key.disabled", "key.enabled"]


async def test_an_account_that_is_not_there_any_more_is_shut_unless_its_owner_is_here(
    following: Following, auth_pool: Pool
) -> None:
    shut = "SELECT disabled_at IS NOT NULL FROM auth.users"
    assert await said(following.withdrawn("user", ["u"])) == [("", Outcome.DISABLED)]
    assert await auth_pool.fetchval(shut)
    assert await said(following.accounts([ACCOUNT])) == [("", Outcome.ENABLED)]
    await auth_pool.execute("UPDATE auth.users SET password_hash = '$argon2id$claimed'")

    assert await said(following.withdrawn("user", ["u"])) == [("", Outcome.KEPT)]

    assert not await auth_pool.fetchval(shut)


async def test_an_address_of_somebody_else_is_told_once_and_not_written(following: Following, auth_pool: Pool) -> None:
    await Imports(auth_pool, "other.db").accounts([replace(ACCOUNT, id="v", email="Taken@b.ru")])
    taken = replace(ACCOUNT, email="taken@b.ru")

    assert await said(following.accounts([taken])) == [("email", Outcome.TAKEN)]
    assert await said(following.accounts([taken])) == []
    assert await said(following.accounts([replace(ACCOUNT, email="free@b.ru")])) == [("email", Outcome.WRITTEN)]


async def test_nothing_is_written_when_what_changes_could_not_be_written_down(
    following: Following, auth_pool: Pool
) -> None:
    with pytest.raises(RuntimeError, match="disk"):
        async with following.withdrawn("key", ["k"]):
            raise RuntimeError("no disk left")

    rows: Any = await auth_pool.fetch("SELECT subject FROM auth.disabled_credentials")
    assert rows == []
    assert await said(following.withdrawn("key", ["k"])) == [("", Outcome.DISABLED)]
