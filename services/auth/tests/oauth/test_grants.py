"""Grants: what they allow, who sees them, and how they end (oauth rules 31 and 35)."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any, TypeAlias

import asyncpg
import pytest
import redis.asyncio
from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.auth.v1 import auth_pb2
from razvilka.auth.v1 import oauth_pb2 as pb

from servicekit.errors import ErrorReason, NotFound, Unauthenticated
from servicekit.testing import FakeClock
from services.auth.oauth.grants import REVOKED_AT_ONCE
from services.auth.oauth.store.grants_of_user import OAuthOfUser
from services.auth.tests.oauth.flow import Flow, claims_of
from services.auth.tests.units import begin

CAP = {
    "models": ["yandexgpt", "gigachat"],
    "budget_micro_rub": 500_000_000,
    "budget_period": auth_pb2.BUDGET_PERIOD_MONTH,
}
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


async def caller(flow: Flow, token: Any, user_id: str = "") -> auth_pb2.Caller:
    """Return what the token's grant allows now."""
    gid = claims_of(token.access_token)["gid"]
    answer: pb.GetGrantResponse = await flow.call(pb.GetGrantRequest(grant_id=gid, user_id=user_id))
    return answer.caller


async def test_a_grant_carries_what_the_user_allowed(flow: Flow) -> None:
    """Models, budget and limits of the account's tier: what admission needs."""
    app = await flow.app()

    token = await flow.tokens(app, allow=CAP)
    found = await caller(flow, token, flow.user_id)

    gid = claims_of(token.access_token)["gid"]
    assert (found.user_id, found.grant_id, found.client_id) == (flow.user_id, gid, app.client_id)
    assert (found.tier, found.user_limits.requests_per_minute) == (auth_pb2.TIER_PRO, 100)
    assert list(found.models) == ["yandexgpt", "gigachat"]
    assert list(found.scopes) == ["models:read", "openid"]
    assert [(budget.subject, budget.period, budget.limit_micro_rub) for budget in found.budgets] == [
        (f"grant:{gid}", auth_pb2.BUDGET_PERIOD_MONTH, 500_000_000),
        (f"user:{flow.user_id}", auth_pb2.BUDGET_PERIOD_MONTH, 100_000_000_000),
    ]


async def test_unknown_and_foreign_grants_are_not_told(flow: Flow) -> None:
    """INVALID_TOKEN for what never was, strange ids, and another user's."""
    app = await flow.app()
    token = await flow.tokens(app)

    for grant_id in ("", "nobody", "a\x00", "x" * 5000):
        with pytest.raises(Unauthenticated) as refused:
            await flow.call(pb.GetGrantRequest(grant_id=grant_id))
        assert refused.value.reason is ErrorReason.INVALID_TOKEN
    with pytest.raises(Unauthenticated):
        await caller(flow, token, "somebody else")


async def test_authorizing_again_does_not_fill_the_budget_up(flow: Flow) -> None:
    """A client that is let in without asking keeps the cap, counted at the consent; a new consent is a new cap."""
    app = await flow.app(confidential=True)
    first = await flow.tokens(app, allow=CAP)

    silent = await flow.tokens(app)
    asked = await flow.tokens(app, allow=CAP, prompt="consent")

    subjects = [(await caller(flow, token)).budgets[0].subject for token in (first, silent, asked)]
    gids = [claims_of(token.access_token)["gid"] for token in (first, silent, asked)]
    assert len(set(gids)) == 3
    assert subjects == [f"grant:{gids[0]}", f"grant:{gids[0]}", f"grant:{gids[2]}"]


async def test_users_see_and_end_their_own_grants_only(flow: Flow) -> None:
    """Ending one takes along what was given on its consent without asking."""
    app = await flow.app(confidential=True)
    first, silent = await flow.tokens(app, allow=CAP), await flow.tokens(app)
    owner, gid = flow.user_id, claims_of(first.access_token)["gid"]
    await flow.log_in("other@example.ru")

    with pytest.raises(NotFound):
        await flow.call(pb.RevokeGrantRequest(user_id=flow.user_id, grant_id=gid))
    others = (await flow.call(pb.ListGrantsRequest(user_id=flow.user_id))).grants
    own = (await flow.call(pb.ListGrantsRequest(user_id=owner))).grants
    for _ in range(2):
        await flow.call(pb.RevokeGrantRequest(user_id=owner, grant_id=gid))

    assert not others
    assert [(grant.client.name, grant.budget.limit_micro_rub) for grant in own] == [("Notes", 500_000_000)] * 2
    assert not (await flow.call(pb.ListGrantsRequest(user_id=owner))).grants
    for token in (first, silent):
        assert await flow.introspect(app, token.access_token) == {"active": False}
        with pytest.raises(Unauthenticated):
            await caller(flow, token)


async def test_the_gateways_are_told_at_once(flow: Flow, redis_client: redis.asyncio.Redis) -> None:
    """Rule 35: a revoked token and a revoked grant are on the channel before the answer is."""
    app = await flow.app()
    token = await flow.tokens(app)
    claims = claims_of(token.access_token)
    async with redis_client.pubsub(ignore_subscribe_messages=True) as channel:
        await channel.subscribe("razvilka:auth:revoked")
        # The subscription is in force only when Redis has confirmed it.
        await channel.get_message(timeout=60)

        await flow.revoke(app, token.access_token)
        await flow.revoke(app, token.refresh_token)

        async with asyncio.timeout(60):
            heard: list[Any] = []
            while len(heard) < 2:
                message = await channel.get_message(timeout=1)
                heard += [json.loads(message["data"])] if message else []
    assert [(each["kind"], each["id"]) for each in heard] == [("token", claims["jti"]), ("grant", claims["gid"])]


async def test_a_gateway_that_missed_the_push_asks(flow: Flow, clock: FakeClock) -> None:
    """Rule 35: what ended since a moment, with some overlap, until nothing can be believed valid any more."""
    app = await flow.app()
    token = await flow.tokens(app)
    await flow.revoke(app, token.access_token)

    first = await flow.call(pb.ListRevocationsRequest())
    overlap = await flow.call(pb.ListRevocationsRequest(since=first.as_of))
    clock.advance(31)
    later = await flow.call(pb.ListRevocationsRequest(since=Timestamp(seconds=int(clock.now().timestamp()))))
    clock.advance(timedelta(hours=1).total_seconds())
    over = await flow.call(pb.ListRevocationsRequest())

    assert [each.kind for each in first.revocations] == ["token"]
    assert not first.next
    assert len(overlap.revocations) == 1
    assert not later.revocations
    assert not over.revocations


async def test_what_ended_is_told_in_pages(flow: Flow, auth_pool: Pool, clock: FakeClock) -> None:
    """An account's end, or a leak, ends thousands of credentials at one moment: one answer would be refused."""
    many, until = 2 * REVOKED_AT_ONCE + 1, clock.now() + timedelta(hours=1)
    await auth_pool.execute(
        "INSERT INTO auth.revocations (kind, subject_id, revoked_at, until) "
        "SELECT 'key', n::text, $2::timestamptz + interval '1 s' * (n / 1500), $3 FROM generate_series(1, $1::int) n",
        many,
        clock.now() - timedelta(seconds=10),
        until,
    )

    pages = [await flow.call(pb.ListRevocationsRequest())]
    while pages[-1].next:
        last = pages[-1].revocations[-1]
        pages.append(await flow.call(pb.ListRevocationsRequest(since=last.revoked_at, after=pages[-1].next)))

    assert [len(page.revocations) for page in pages] == [REVOKED_AT_ONCE, REVOKED_AT_ONCE, 1]
    assert {int(each.id) for page in pages for each in page.revocations} == set(range(1, many + 1))


async def test_a_new_password_ends_grants_and_unused_codes(flow: Flow, auth_pool: Pool, clock: FakeClock) -> None:
    """Rule 31: in the account's own transaction; what was given but not redeemed becomes nothing."""
    app = await flow.app(owner_user_id=flow.user_id, confidential=True)
    token, code = await flow.tokens(app), await flow.code(app)

    async with begin(auth_pool, clock) as unit:
        await OAuthOfUser().end_all(unit, flow.user_id, "password_reset")

    assert [each.subject_id for each in unit.revocations] == [claims_of(token.access_token)["gid"]]
    assert (await flow.redeem(app, code)).error == "invalid_grant"
    assert (await flow.refresh(app, token.refresh_token)).error == "invalid_grant"


async def test_deletion_ends_the_own_applications_for_everybody(flow: Flow, auth_pool: Pool, clock: FakeClock) -> None:
    """Rule 31: and the export lists grants and applications without secrets."""
    app = await flow.app(owner_user_id=flow.user_id, confidential=True)
    await flow.tokens(app)
    async with begin(auth_pool, clock) as unit:
        exported = await OAuthOfUser().describe(unit, flow.user_id)
        await OAuthOfUser().end_all(unit, flow.user_id, "account_deleted")

    assert sorted(str(each.kind) for each in unit.revocations) == ["client", "grant"]
    assert exported["applications"][0]["client_id"] == app.client_id
    assert exported["grants"][0]["scope"] == "models:read openid"
    assert app.secret not in json.dumps(exported)


async def test_logging_out_ends_what_the_session_gave(flow: Flow, auth_pool: Pool, clock: FakeClock) -> None:
    """Rule 31: by the session's public id; another session's grants stay."""
    app = await flow.app()
    one = await flow.tokens(app)
    session_id = claims_of(one.access_token)["sid"]
    flow.session = flow.sessions.open(flow.user_id, clock.now())
    other = await flow.tokens(app)

    async with begin(auth_pool, clock) as unit:
        await OAuthOfUser().end_of_session(unit, session_id)

    assert (await flow.refresh(app, one.refresh_token)).error == "invalid_grant"
    assert (await flow.refresh(app, other.refresh_token)).access_token


async def test_redis_losing_everything_changes_no_token(flow: Flow, redis_client: redis.asyncio.Redis) -> None:
    """What is under way must begin again; nobody is let in and nothing is revoked, or valid, wrongly."""
    app = await flow.app(confidential=True)
    live, dead = await flow.tokens(app), await flow.tokens(app, prompt="consent")
    await flow.revoke(app, dead.refresh_token)
    waiting = (await flow.authorize(app, prompt="consent")).consent.pending_id

    await redis_client.flushdb()

    with pytest.raises(NotFound):
        await flow.decide(waiting)
    assert (await flow.introspect(app, live.access_token))["active"] is True
    assert await flow.introspect(app, dead.access_token) == {"active": False}
    assert (await flow.refresh(app, live.refresh_token)).access_token
    assert (await flow.refresh(app, dead.refresh_token)).error == "invalid_grant"
