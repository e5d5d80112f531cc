"""Users and keys over the real server: first what must not work."""

from __future__ import annotations

import asyncio
import base64
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.auth.v1 import auth_pb2 as pb

from servicekit.errors import ErrorReason, InvalidRequest, NotFound, Unauthenticated
from servicekit.testing import FakeClock
from services.auth.keys.domain import api_key
from services.auth.shared.domain.tier import Tier

if TYPE_CHECKING:
    from services.auth.tests.conftest import AuthCaller

NOWHERE = "00000000-0000-4000-8000-000000000000"


async def test_anothers_key_cannot_be_revoked(auth: AuthCaller) -> None:
    """A foreign id answers exactly as an absent one does, and the key lives on."""
    owner, thief = await auth.new_user("owner@x.ru"), await auth.new_user("thief@x.ru")
    issued = await auth.new_key(owner)

    with pytest.raises(NotFound) as foreign:
        await auth.revoke(thief, issued.key.id)
    with pytest.raises(NotFound) as absent:
        await auth.revoke(thief, NOWHERE)

    assert foreign.value.message == absent.value.message
    assert (await auth.verify(issued.secret)).user_id == owner


async def test_anothers_keys_are_not_listed(auth: AuthCaller) -> None:
    """A list holds the user's own keys only."""
    owner, other = await auth.new_user("owner@x.ru"), await auth.new_user("other@x.ru")
    await auth.new_key(owner)

    answer = await auth.call(pb.ListApiKeysRequest(user_id=other))

    assert not answer.keys


async def test_revoked_and_unknown_keys_get_the_same_answer(auth: AuthCaller) -> None:
    """Nobody learns that a key was once valid."""
    user = await auth.new_user()
    issued = await auth.new_key(user)
    await auth.revoke(user, issued.key.id)

    with pytest.raises(Unauthenticated) as revoked:
        await auth.verify(issued.secret)
    with pytest.raises(Unauthenticated) as unknown:
        await auth.verify(api_key.generate())

    assert revoked.value.reason is unknown.value.reason is ErrorReason.INVALID_KEY
    assert revoked.value.message == unknown.value.message
    assert revoked.value.details == unknown.value.details


async def test_expired_and_unknown_keys_get_the_same_answer(auth: AuthCaller, clock: FakeClock) -> None:
    """Whoever finds an old key learns nothing from it; its owner sees its date in the list."""
    user = await auth.new_user()
    soon = Timestamp(seconds=int(clock.now().timestamp()) + 60)
    issued = await auth.new_key(user, expires_at=soon)
    assert (await auth.verify(issued.secret)).expires_at == soon
    clock.advance(60)

    with pytest.raises(Unauthenticated) as expired:
        await auth.verify(issued.secret)
    with pytest.raises(Unauthenticated) as unknown:
        await auth.verify(api_key.generate())

    assert expired.value.reason is unknown.value.reason is ErrorReason.INVALID_KEY
    assert expired.value.message == unknown.value.message
    assert expired.value.details == unknown.value.details


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param("", id="empty"),
        pytest.param("rz_live_", id="prefix only"),
        pytest.param("k\x00ey", id="NUL"),
        pytest.param("ключ", id="not ASCII"),
        pytest.param("\U0001f511" * 40, id="outside the BMP"),
        pytest.param("k" * 1_000_000, id="a megabyte"),
        pytest.param("' OR 1=1 --", id="SQL"),
        pytest.param("Bearer rz_live_x", id="with its scheme"),
    ],
)
async def test_strange_keys_are_just_not_valid(auth: AuthCaller, secret: str) -> None:
    """No input makes verification fail in another way."""
    with pytest.raises(Unauthenticated) as refused:
        await auth.verify(secret)

    assert refused.value.reason is ErrorReason.INVALID_KEY


async def test_mistyped_key_never_reaches_the_database(auth: AuthCaller, auth_pool: asyncpg.Pool[Any]) -> None:
    """A wrong checksum is answered while nobody can read the table; a right one waits for it."""
    secret = (await auth.new_key(await auth.new_user())).secret
    mistyped = secret[:20] + ("a" if secret[20] != "a" else "b") + secret[21:]

    async with auth_pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE auth.api_keys IN ACCESS EXCLUSIVE MODE")
        right = asyncio.ensure_future(auth.verify(secret))
        with pytest.raises(Unauthenticated):
            await auth.verify(mistyped)
        assert not right.done()

    assert (await right).key_name == "laptop"


def token(text: str) -> str:
    """Return a page token as nobody but a caller makes it."""
    return base64.urlsafe_b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("request_", "param"),
    [
        pytest.param(pb.CreateApiKeyRequest(user_id="u"), "name", id="no name"),
        pytest.param(pb.CreateApiKeyRequest(user_id="u", name="n", scopes=["root"]), "scopes", id="no such scope"),
        pytest.param(
            pb.CreateApiKeyRequest(user_id="u", name="n", expires_at=Timestamp(seconds=2**60)),
            "expires_at",
            id="no time",
        ),
        pytest.param(
            pb.CreateApiKeyRequest(user_id="u", name="n", budget_micro_rub=5), "budget_period", id="no period"
        ),
        pytest.param(pb.ListApiKeysRequest(user_id="u", page_size=101), "page_size", id="huge page"),
        pytest.param(pb.ListApiKeysRequest(user_id="u", page_size=-1), "page_size", id="negative page"),
        pytest.param(pb.ListApiKeysRequest(user_id="u", page_token="%%"), "page_token", id="foreign token"),
        pytest.param(
            pb.ListApiKeysRequest(user_id="u", page_token=token("9999-12-31T23:59:59-23:59|k")),
            "page_token",
            id="behind the calendar",
        ),
        pytest.param(
            pb.ListApiKeysRequest(user_id="u", page_token=token("0001-01-01T00:00:00+23:59|k")),
            "page_token",
            id="before the calendar",
        ),
    ],
)
async def test_bad_requests_name_the_field(auth: AuthCaller, request_: Any, param: str) -> None:
    """What is wrong is said; nothing is stored."""
    with pytest.raises(InvalidRequest) as refused:
        await auth.call(request_)

    assert refused.value.param == param


@pytest.mark.parametrize("user_id", [NOWHERE, "", "a\x00b", "u" * 1000])
async def test_no_key_for_a_user_who_does_not_exist(auth: AuthCaller, user_id: str) -> None:
    """An unknown user, and an id no user could have, are absent."""
    with pytest.raises(NotFound):
        await auth.new_key(user_id)


async def test_a_key_carries_what_its_owner_said(auth: AuthCaller) -> None:
    """Verification answers scopes, models, networks, budget, tier and limits."""
    user = await auth.new_user(tier=Tier.PRO)
    issued = await auth.new_key(
        user,
        name="CI",
        scopes=["models:read", "keys:read"],
        models=["gigachat"],
        ip_allow_list=["10.0.0.0/8"],
        budget_micro_rub=500_000_000,
        budget_period=pb.BUDGET_PERIOD_MONTH,
    )

    caller = await auth.verify(issued.secret)

    assert (caller.user_id, caller.key_id, caller.key_name) == (user, issued.key.id, "CI")
    assert list(caller.scopes) == ["keys:read", "models:read"]
    assert (list(caller.models), list(caller.ip_allow_list)) == (["gigachat"], ["10.0.0.0/8"])
    assert caller.tier == pb.TIER_PRO
    assert (caller.user_limits.requests_per_minute, caller.user_limits.requests_per_day) == (100, 1_000)
    assert caller.user_limits.concurrent_requests == 20
    monthly: Any = {"period": pb.BUDGET_PERIOD_MONTH, "mode": pb.CAP_MODE_HARD}
    assert list(caller.budgets) == [
        pb.Budget(subject=f"key:{issued.key.id}", limit_micro_rub=500_000_000, **monthly),
        pb.Budget(subject=f"user:{user}", limit_micro_rub=100_000_000_000, **monthly),
    ]
    assert not caller.HasField("expires_at")


@pytest.mark.parametrize(
    ("tier", "roubles"),
    [(Tier.FREE, 1_000), (Tier.PRO, 100_000), (Tier.ENTERPRISE, None)],
    ids=lambda given: str(given),
)
async def test_an_account_has_a_ceiling_that_nobody_asked_for(
    auth: AuthCaller, tier: Tier, roubles: int | None
) -> None:
    """A stolen key or a runaway loop costs a known sum a month; an enterprise has a contract instead."""
    user = await auth.new_user(tier=tier)

    caller = await auth.verify((await auth.new_key(user)).secret)

    wanted = [] if roubles is None else [(f"user:{user}", pb.BUDGET_PERIOD_MONTH, roubles * 1_000_000)]
    assert [(each.subject, each.period, each.limit_micro_rub) for each in caller.budgets] == wanted


async def test_lists_never_show_a_secret(auth: AuthCaller, auth_pool: asyncpg.Pool[Any]) -> None:
    """A list shows the beginning and the last four characters; the database has not even those in full."""
    user = await auth.new_user()
    issued = await auth.new_key(user)

    (listed,) = (await auth.call(pb.ListApiKeysRequest(user_id=user))).keys

    assert listed == issued.key
    assert issued.secret.startswith(listed.prefix)
    assert len(listed.prefix) == 12
    assert issued.secret.endswith(listed.last_four)
    rows = await auth_pool.fetch(
        "SELECT api_keys::text AS row FROM auth.api_keys UNION ALL SELECT audit_log::text FROM auth.audit_log"
    )
    assert len(rows) == 2
    assert all(issued.secret[12:-4] not in row["row"] for row in rows)


async def test_pages_hold_every_key_once_newest_first(auth: AuthCaller, clock: FakeClock) -> None:
    """Paging loses and repeats nothing, also among keys of the same microsecond and when new ones come meanwhile."""
    user = await auth.new_user()
    for number in range(7):
        await auth.new_key(user, name=f"key {number}")
        clock.advance(number % 2)
    pages: list[Any] = [await auth.call(pb.ListApiKeysRequest(user_id=user, page_size=3))]
    await auth.new_key(user, name="later")

    while pages[-1].next_page_token:
        token = pages[-1].next_page_token
        pages.append(await auth.call(pb.ListApiKeysRequest(user_id=user, page_size=3, page_token=token)))

    keys = [key for page in pages for key in page.keys]
    assert [len(page.keys) for page in pages] == [3, 3, 1]
    assert len({key.id for key in keys}) == 7
    timestamps = [key.created_at.ToNanoseconds() for key in keys]
    assert timestamps == sorted(timestamps, reverse=True)


async def test_revoking_twice_changes_nothing(auth: AuthCaller, clock: FakeClock) -> None:
    """The second answer tells the time of the first."""
    user = await auth.new_user()
    issued = await auth.new_key(user)
    first = await auth.revoke(user, issued.key.id)
    clock.advance(10)

    second = await auth.revoke(user, issued.key.id)

    assert second.revoked_at == first.revoked_at
    assert first.revoked_at.ToDatetime(UTC) == datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


async def test_concurrent_revokes_are_one(auth: AuthCaller, auth_pool: asyncpg.Pool[Any]) -> None:
    """Twenty revokes at once: one revocation, one audit row, twenty equal answers."""
    user = await auth.new_user()
    issued = await auth.new_key(user)

    answers = await asyncio.gather(*(auth.revoke(user, issued.key.id) for _ in range(20)))

    assert len({answer.revoked_at.ToNanoseconds() for answer in answers}) == 1
    assert await auth_pool.fetchval("SELECT count(*) FROM auth.revocations") == 1
    assert await auth_pool.fetchval("SELECT count(*) FROM auth.audit_log WHERE action = 'key.revoked'") == 1
