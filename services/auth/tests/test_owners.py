"""What the gateway may tell usage of people who want to be told of budgets and ends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.auth.v1 import auth_pb2, owners_pb2
from razvilka.auth.v1.auth_pb2_grpc import AuthServiceStub
from razvilka.auth.v1.owners_pb2_grpc import OwnerServiceStub

from servicekit.errors import InvalidRequest
from servicekit.rpc_client import unary
from servicekit.testing import FakeClock
from servicekit.testing.ready_channel import ready_channel
from services.auth.owners.store import FIND_SET_BUDGETS
from services.auth.server import running
from services.auth.settings import AuthSettings
from services.auth.shared.domain.tier import Tier
from services.auth.tests.conftest import AuthCaller, settings_for

LONG_S = 60.0


class Asking:
    """A running auth service, and the question."""

    def __init__(self, auth: AuthCaller, stub: Any, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self.auth = auth
        self.pool = pool
        self._stub = stub

    async def owners(self, *user_ids: str) -> owners_pb2.GetOwnersResponse:
        request = owners_pb2.GetOwnersRequest(user_ids=user_ids)
        answer: owners_pb2.GetOwnersResponse = await unary(self._stub.GetOwners, request, deadline_s=LONG_S)
        return answer


@pytest.fixture
async def asking(
    auth_dsn: str, auth_pool: asyncpg.Pool[asyncpg.Record], redis_url: str, clock: FakeClock
) -> AsyncIterator[Asking]:
    """Return a service whose free accounts may spend 1,000 roubles a month."""
    settings: AuthSettings = settings_for(auth_dsn, redis_url, ceiling={"free_rub_per_month": 1000})
    async with running(settings, clock) as port, ready_channel(port) as channel:
        yield Asking(AuthCaller(AuthServiceStub(channel), auth_dsn), OwnerServiceStub(channel), auth_pool)


async def test_budgets_that_were_set_are_told_unless_they_only_watch(asking: Asking) -> None:
    """Also a soft one: telling is what it is for."""
    user_id = await asking.auth.new_user(tier=Tier.ENTERPRISE)
    for id, mode, period in (("soft", "soft", "week"), ("watching", "shadow", "day"), ("hard", "hard", "month")):
        await asking.pool.execute(
            "INSERT INTO auth.budgets (id, user_id, subject, measure, period, amount, mode, by_admin, created_at,"
            " updated_at) VALUES ($1, $2, 'user:' || $2, 'cost', $3, 5, $4, false, now(), now())",
            *(id, user_id, period, mode),
        )

    [owner] = (await asking.owners(user_id)).owners

    periods = [each.budget.period for each in owner.budgets]
    assert periods == [auth_pb2.BUDGET_PERIOD_WEEK, auth_pb2.BUDGET_PERIOD_MONTH]


async def test_budgets_and_ends_of_live_credentials_are_told_with_the_accounts_ceiling(
    asking: Asking, clock: FakeClock
) -> None:
    """A rotated key's budget goes by the first of its line; what is revoked is not told of."""
    user_id = await asking.auth.new_user()
    end = Timestamp()
    end.FromDatetime(clock.now() + timedelta(days=10))
    capped = {"budget_micro_rub": 5_000_000, "budget_period": auth_pb2.BUDGET_PERIOD_DAY}
    first = await asking.auth.new_key(user_id, "capped", **capped)
    await asking.auth.call(auth_pb2.RotateApiKeyRequest(user_id=user_id, key_id=first.key.id, by_operator=True))
    ending = await asking.auth.new_key(user_id, "ending", expires_at=end)
    revoked = await asking.auth.new_key(user_id, "revoked", expires_at=end, **capped)
    await asking.auth.revoke(user_id, revoked.key.id)

    answer = await asking.owners(user_id)

    (owner,) = answer.owners
    assert [(owned.budget.subject, owned.budget.limit_micro_rub, owned.name) for owned in owner.budgets] == [
        (f"user:{user_id}", 1_000_000_000, ""),
        (f"key:{first.key.id}", 5_000_000, "capped"),
    ]
    assert [(key.id, key.name, key.expires_at) for key in owner.keys] == [(ending.key.id, "ending", end)]
    assert owner.language == "ru"


async def test_budgets_that_somebody_set_are_told_but_not_those_that_only_count(asking: Asking) -> None:
    """By the name of the key that they cap; quotas of requests are no money."""
    user_id = await asking.auth.new_user(tier=Tier.ENTERPRISE)
    key = (await asking.auth.new_key(user_id, "laptop")).key
    insert = """
        INSERT INTO auth.budgets (id, user_id, subject, measure, period, amount, mode, by_admin, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, 7000000, $6, false, now(), now())
    """
    for id, subject, measure, period, mode in (
        ("a", f"key:{key.id}", "cost", "week", "hard"),
        ("b", f"user:{user_id}", "cost", "month", "soft"),
        ("c", f"user:{user_id}", "cost", "day", "shadow"),
        ("d", f"user:{user_id}", "requests", "day", "hard"),
    ):
        await asking.pool.execute(insert, id, user_id, subject, measure, period, mode)

    (owner,) = (await asking.owners(user_id)).owners

    assert [(owned.budget.subject, owned.budget.period, owned.name) for owned in owner.budgets] == [
        (f"key:{key.id}", auth_pb2.BUDGET_PERIOD_WEEK, "laptop"),
        (f"user:{user_id}", auth_pb2.BUDGET_PERIOD_MONTH, ""),
    ]


async def test_budgets_of_credentials_that_ended_are_not_told(asking: Asking, clock: FakeClock) -> None:
    """Else their owner is warned that a key which nobody can use will have spent its budget by Friday."""
    user_id = await asking.auth.new_user(tier=Tier.ENTERPRISE)
    soon = Timestamp()
    soon.FromDatetime(clock.now() + timedelta(hours=1))
    first, revoked, expiring = [
        (await asking.auth.new_key(user_id, name, expires_at=end)).key
        for name, end in (("rotated", None), ("revoked", None), ("expiring", soon))
    ]
    await asking.auth.call(auth_pb2.RotateApiKeyRequest(user_id=user_id, key_id=first.id, by_operator=True))
    await asking.auth.revoke(user_id, revoked.id)
    for subject in (f"key:{first.id}", f"key:{revoked.id}", f"key:{expiring.id}", "grant:over"):
        await asking.pool.execute(
            "INSERT INTO auth.budgets (id, user_id, subject, measure, period, amount, mode, by_admin, created_at,"
            " updated_at) VALUES ($1, $2, $1, 'cost', 'month', 7000000, 'soft', false, now(), now())",
            *(subject, user_id),
        )
    clock.advance(3600)

    (owner,) = (await asking.owners(user_id)).owners

    assert [owned.budget.subject for owned in owner.budgets] == [f"key:{first.id}"]


async def test_an_organizations_budgets_are_told_to_its_members_and_to_administrators(asking: Asking) -> None:
    """In its own zone; whoever has left, and everybody else, hears nothing."""
    member, former, admin, other = [await asking.auth.new_user(f"{n}@example.ru", Tier.ENTERPRISE) for n in range(4)]
    await asking.pool.execute("UPDATE auth.users SET is_admin = true WHERE id = $1", admin)
    await asking.pool.execute(
        "INSERT INTO auth.organizations (id, name, time_zone, created_at) VALUES ('org', 'ООО', 'Asia/Omsk', now())"
    )
    await asking.pool.execute(
        "INSERT INTO auth.organization_members (organization_id, user_id, joined_at, left_at)"
        " VALUES ('org', $1, now(), NULL), ('org', $2, now(), now())",
        *(member, former),
    )
    for id, mode in (("told", "soft"), ("watching", "shadow")):
        await asking.pool.execute(
            "INSERT INTO auth.budgets (id, subject, measure, period, amount, mode, by_admin, created_at, updated_at)"
            " VALUES ($1, 'organization:org', 'cost', 'month', 9, $2, true, now(), now())",
            *(id, mode),
        )

    owners = {owner.user_id: owner for owner in (await asking.owners(member, former, admin, other)).owners}

    told = {
        id: [(each.budget.subject, each.name, each.budget.time_zone) for each in owner.budgets]
        for id, owner in owners.items()
    }
    expected = [("organization:org", "ООО", "Asia/Omsk")]
    assert told == {member: expected, former: [], admin: expected, other: []}


async def test_an_address_counts_once_it_is_confirmed(asking: Asking) -> None:
    """Nobody is written to at an address that somebody else typed."""
    user_id = await asking.auth.new_user("vera@example.ru")
    confirmed = await asking.owners(user_id)
    await asking.pool.execute("UPDATE auth.users SET email_verified_at = NULL WHERE id = $1", user_id)

    unconfirmed = await asking.owners(user_id)

    assert [owner.email for owner in (*confirmed.owners, *unconfirmed.owners)] == ["vera@example.ru", ""]


async def test_deleted_accounts_are_gone_and_shut_ones_are_named(asking: Asking) -> None:
    """What a shut account has is kept: it may be opened again. A deleted one is gone, shut or not before."""
    shut, deleted, there = [await asking.auth.new_user(f"{n}@example.ru", Tier.PRO) for n in range(3)]
    await asking.pool.execute("UPDATE auth.users SET disabled_at = now() WHERE id = ANY($1)", [shut, deleted])
    await asking.pool.execute("UPDATE auth.users SET deleted_at = now() WHERE id = $1", deleted)

    answer = await asking.owners(shut, deleted, there, "nobody", "no\0body")

    assert [owner.user_id for owner in answer.owners] == [there]
    assert answer.shut_user_ids == [shut]
    assert set(answer.gone_user_ids) == {deleted, "nobody", "no\0body"}


async def test_a_question_about_too_many_is_refused(asking: Asking) -> None:
    """It would hold the database for too long."""
    with pytest.raises(InvalidRequest, match="500"):
        await asking.owners(*(f"user-{n}" for n in range(501)))


async def test_the_name_of_a_budgets_key_is_found_without_a_look_at_all_keys(asking: Asking) -> None:
    """Gateways ask every minute, of a hundred people at a time, where there may be a million keys."""
    user_id, keys = await asking.auth.new_user(), 50
    await asking.pool.execute(
        "INSERT INTO auth.api_keys (id, user_id, key_hash, name)"
        " SELECT 'key-' || n, $1, lpad(n::text, 64, '0'), 'name-' || n FROM generate_series(1, $2) AS n",
        *(user_id, keys),
    )
    await asking.pool.execute(
        "INSERT INTO auth.budgets (id, user_id, subject, measure, period, amount, mode, by_admin, created_at,"
        " updated_at) VALUES ('b', $1, 'key:key-7', 'cost', 'day', 5, 'hard', false, now(), now())",
        user_id,
    )

    async with asking.pool.acquire() as connection, connection.transaction():
        # Of fifty rows PostgreSQL would rather look at all.
        await connection.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off")
        (row,) = await connection.fetch(FIND_SET_BUDGETS, [user_id], datetime.now(UTC))
        looked_at = await connection.fetchval(
            "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'api_keys'"
        )

    assert row["name"] == "name-7"
    assert looked_at < keys
