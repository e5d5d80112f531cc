"""Budgets and quotas over the real server and database: what is set caps the credential that is verified next."""

from __future__ import annotations

import asyncio
from typing import Any, TypeAlias

import asyncpg
import pytest
from razvilka.auth.v1 import auth_pb2, budgets_pb2

from servicekit.errors import Conflict, InvalidRequest, NotFound, PermissionDenied, Unauthenticated
from services.auth.budgets.domain.cap import CapOrder, check_new
from services.auth.budgets.management import MOST_CAPS
from services.auth.shared.domain.tier import Tier
from services.auth.tests.budgets.kit import BudgetCaller, maker_of, order

ONE_MORE = """
INSERT INTO auth.budgets (id, user_id, subject, measure, period, models, amount, mode, by_admin, created_at, updated_at)
SELECT 'one more', user_id, subject, measure, period, models, amount, mode, by_admin, created_at, updated_at
FROM auth.budgets
LIMIT 1
"""
WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
HARD, SOFT, SHADOW = auth_pb2.CAP_MODE_HARD, auth_pb2.CAP_MODE_SOFT, auth_pb2.CAP_MODE_SHADOW


async def test_what_is_set_caps_the_keys_of_the_account_at_their_next_verification(budgets: BudgetCaller) -> None:
    """A day and a month of the account, one of which only tells; a week of one key; the narrowest first."""
    user = await budgets.auth.new_user(tier=Tier.ENTERPRISE)
    one, other = await budgets.auth.new_key(user), await budgets.auth.new_key(user)
    await budgets.put(user, one.key.id, **order(period="day", mode=SOFT))
    await budgets.put(user, one.key.id, **order())
    await budgets.put(user, one.key.id, **order(owner="key", owner_id=other.key.id, period="week", amount=70))

    of_one, of_other = [(await budgets.auth.verify(each.secret)).budgets for each in (one, other)]

    account = [(f"user:{user}", auth_pb2.BUDGET_PERIOD_DAY, SOFT), (f"user:{user}", auth_pb2.BUDGET_PERIOD_MONTH, HARD)]
    assert sorted((each.subject, each.period, each.mode) for each in of_one) == account
    assert [(each.subject, each.period, each.limit_micro_rub) for each in of_other][:1] == [
        (f"key:{other.key.id}", auth_pb2.BUDGET_PERIOD_WEEK, 70)
    ]
    assert sorted((each.subject, each.period, each.mode) for each in of_other[1:]) == account
    assert all(each.id for each in of_other)


async def test_a_quota_names_its_measure_and_models(budgets: BudgetCaller) -> None:
    """As the table of limits has it."""
    user = await budgets.auth.new_user()
    issued = await budgets.auth.new_key(user)
    made = await budgets.put(
        user, issued.key.id, owner="user", measure="tokens", period="day", models="yandexgpt*", amount=9, mode=SHADOW
    )

    [quota] = (await budgets.auth.verify(issued.secret)).quotas

    assert quota == auth_pb2.Quota(
        id=made.id, subject=f"user:{user}", models="yandexgpt*", measure="tokens_per_day", limit=9, mode=SHADOW
    )


async def test_a_budget_is_changed_and_removed_and_each_step_is_audited(budgets: BudgetCaller, auth_pool: Pool) -> None:
    """Amount and mode; what is left out stays."""
    user = await budgets.auth.new_user(tier=Tier.ENTERPRISE)
    issued = await budgets.auth.new_key(user)
    made = await budgets.put(user, issued.key.id, **order())
    raised = await budgets.put(user, issued.key.id, id=made.id, amount=9_000_000)
    softened = await budgets.put(user, issued.key.id, id=made.id, mode=SOFT)
    await budgets.delete(user, issued.key.id, made.id)

    assert (raised.amount, raised.mode) == (9_000_000, HARD)
    assert (softened.amount, softened.mode) == (9_000_000, SOFT)
    assert (await budgets.auth.verify(issued.secret)).budgets == []
    logged = await auth_pool.fetch(
        "SELECT action, subject, details->>'amount' AS amount FROM auth.audit_log WHERE action LIKE 'budget.%'"
        " ORDER BY seq"
    )
    assert [tuple(row) for row in logged] == [
        ("budget.set", f"user:{user}", "5000000"),
        ("budget.changed", f"user:{user}", "9000000"),
        ("budget.changed", f"user:{user}", "9000000"),
        ("budget.removed", f"user:{user}", "9000000"),
    ]


async def test_the_list_has_what_came_with_keys_and_the_tier_too(budgets: BudgetCaller) -> None:
    """Budget fields of keys go on working and are shown beside what was set; each says where it came from."""
    user = await budgets.auth.new_user(tier=Tier.FREE)
    issued = await budgets.auth.new_key(user)
    capped = await budgets.auth.new_key(user, budget_micro_rub=7, budget_period=auth_pb2.BUDGET_PERIOD_DAY)
    await budgets.put(user, issued.key.id, **order())

    found = await budgets.caps(user)

    assert [(cap.source, cap.subject, cap.period, cap.amount) for cap in found] == [
        ("set", f"user:{user}", "month", 5_000_000),
        ("key", f"key:{capped.key.id}", "day", 7),
        ("tier", f"user:{user}", "month", 1_000_000_000),
    ]
    assert {cap.time_zone for cap in found} == {"Europe/Moscow"}


async def test_a_credential_with_a_budget_of_its_own_changes_no_budgets(budgets: BudgetCaller) -> None:
    """Whether it was made with one or got one later: nothing may free itself, or make what is free."""
    user = await budgets.auth.new_user()
    free = await budgets.auth.new_key(user, scopes=["keys:write"])
    born = await budgets.auth.new_key(user, budget_micro_rub=7, budget_period=auth_pb2.BUDGET_PERIOD_DAY)
    later = await budgets.auth.new_key(user, scopes=["keys:write"])
    made = await budgets.put(user, free.key.id, **order(owner="key", owner_id=later.key.id))

    for key_id in (born.key.id, later.key.id):
        with pytest.raises(PermissionDenied):
            await budgets.put(user, key_id, id=made.id, amount=10**12)
        with pytest.raises(PermissionDenied):
            await budgets.delete(user, key_id, made.id)
    with pytest.raises(PermissionDenied):
        await budgets.auth.call(auth_pb2.CreateApiKeyRequest(user_id=user, name="free", maker=maker_of(later.key.id)))
    with pytest.raises(Unauthenticated):
        await budgets.call(budgets_pb2.DeleteBudgetRequest(user_id=user, id=made.id))


async def test_a_credential_with_a_quota_of_its_own_frees_itself_of_none(budgets: BudgetCaller) -> None:
    """It neither lifts nor raises it, nor makes a key or a successor without it; what refuses nothing binds nobody."""
    user = await budgets.auth.new_user()
    free, capped, shadowed = [await budgets.auth.new_key(user, scopes=["keys:write"]) for _ in range(3)]
    quota = {"owner": "key", "measure": "tokens", "period": "day", "models": "yandexgpt*", "amount": 1000}
    made = await budgets.put(user, free.key.id, owner_id=capped.key.id, **quota)
    await budgets.put(user, free.key.id, owner_id=shadowed.key.id, mode=SHADOW, **quota)

    maker = maker_of(capped.key.id)
    with pytest.raises(PermissionDenied):
        await budgets.delete(user, capped.key.id, made.id)
    with pytest.raises(PermissionDenied):
        await budgets.put(user, capped.key.id, id=made.id, amount=10**9)
    another = auth_pb2.CreateApiKeyRequest(user_id=user, name="k", scopes=["keys:write"], maker=maker)
    with pytest.raises(PermissionDenied):
        await budgets.auth.call(another)
    with pytest.raises(PermissionDenied):
        await budgets.auth.call(auth_pb2.RotateApiKeyRequest(user_id=user, key_id=free.key.id, maker=maker))

    await budgets.put(user, shadowed.key.id, id=made.id, amount=2000)
    await budgets.delete(user, free.key.id, made.id)
    await budgets.put(user, capped.key.id, **order())
    await budgets.auth.call(another)


async def test_what_an_administrator_set_its_owner_cannot_lift(budgets: BudgetCaller, admin: str) -> None:
    """Neither raise nor remove; another administrator's tool may."""
    user = await budgets.auth.new_user()
    issued = await budgets.auth.new_key(user)
    made = await budgets.put_as(admin, **order(owner_id=user))

    with pytest.raises(PermissionDenied):
        await budgets.put(user, issued.key.id, id=made.id, amount=10**12)
    with pytest.raises(PermissionDenied):
        await budgets.delete(user, issued.key.id, made.id)
    with pytest.raises(PermissionDenied):
        await budgets.put_as(user, id=made.id, amount=1)
    changed = await budgets.put_as(admin, id=made.id, amount=1)
    await budgets.call(budgets_pb2.AdministerDeleteBudgetRequest(admin_user_id=admin, id=made.id))

    assert (made.by_admin, changed.amount) == (True, 1)
    listed = await budgets.call(budgets_pb2.AdministerListBudgetsRequest(admin_user_id=admin, user_id=user))
    assert [cap.source for cap in listed.caps] == ["tier"]


async def test_nobody_caps_or_sees_what_is_another_s(budgets: BudgetCaller) -> None:
    """It answers as if it were not there."""
    owner, thief = await budgets.auth.new_user("owner@x.ru"), await budgets.auth.new_user("thief@x.ru")
    of_owner, of_thief = await budgets.auth.new_key(owner), await budgets.auth.new_key(thief)
    made = await budgets.put(owner, of_owner.key.id, **order())

    for wanted in (
        {"id": made.id, "amount": 1},
        order(owner="key", owner_id=of_owner.key.id),
        order(owner="user", owner_id=owner),
        order(owner="organization", owner_id="any"),
    ):
        with pytest.raises(NotFound):
            await budgets.put(thief, of_thief.key.id, **wanted)
    with pytest.raises(NotFound):
        await budgets.delete(thief, of_thief.key.id, made.id)

    assert [cap.source for cap in await budgets.caps(thief)] == ["tier"]


@pytest.mark.parametrize(
    ("wanted", "param"),
    [
        (order(owner="team"), "owner"),
        (order(measure="words"), "measure"),
        (order(period="minute"), "period"),
        (order(measure="requests", period="month"), "period"),
        (order(amount=0), "amount"),
        (order(amount=-1), "amount"),
        (order(models="yandexgpt*"), "models"),
        (order(measure="tokens", period="day", models="a b"), "models"),
        (order(measure="tokens", period="day", mode=SOFT), "mode"),
        (order(mode=9), "mode"),
    ],
)
async def test_a_wrong_field_is_named(budgets: BudgetCaller, wanted: dict[str, Any], param: str) -> None:
    """Before anything is stored."""
    user = await budgets.auth.new_user()
    issued = await budgets.auth.new_key(user)

    with pytest.raises(InvalidRequest) as caught:
        await budgets.put(user, issued.key.id, **wanted)

    assert caught.value.param == param


def test_a_period_that_a_limit_does_not_have_is_answered_with_those_that_may_be_asked_for() -> None:
    """In the words of who asks: what never begins anew is `lifetime` to them."""
    with pytest.raises(InvalidRequest, match="`period` of a limit of cost is one of: day, week, month, lifetime"):
        check_new(CapOrder(measure="cost", period="minute", amount=1))


async def test_an_account_has_a_bounded_number_of_budgets(budgets: BudgetCaller) -> None:
    """Each is checked with each request."""
    user = await budgets.auth.new_user()
    issued = await budgets.auth.new_key(user)
    for _ in range(MOST_CAPS):
        await budgets.put(user, issued.key.id, **order())

    with pytest.raises(Conflict):
        await budgets.put(user, issued.key.id, **order())


async def test_whoever_sets_a_budget_waits_for_the_account_before_holding_a_credential(
    budgets: BudgetCaller, auth_pool: Pool
) -> None:
    """Whoever makes a key takes the two in this order: in the other one PostgreSQL would end one of them."""
    user = await budgets.auth.new_user()
    key = (await budgets.auth.new_key(user)).key.id

    async with auth_pool.acquire() as making, making.transaction():
        await making.execute("SELECT FROM auth.users WHERE id = $1 FOR UPDATE", user)
        setting = asyncio.create_task(budgets.put(user, key, **order()))
        async with asyncio.timeout(60):
            while not await auth_pool.fetchval(WAITING):
                await asyncio.sleep(0.01)
        await making.execute("SELECT FROM auth.api_keys WHERE id = $1 FOR NO KEY UPDATE NOWAIT", key)
    await setting


async def test_budgets_of_an_organization_that_are_set_at_once_do_not_get_past_their_bound(
    budgets: BudgetCaller, auth_pool: Pool
) -> None:
    """Whoever sets one while another is being set counts that as well."""
    admin = await budgets.auth.new_user()
    await auth_pool.execute("UPDATE auth.users SET is_admin = true WHERE id = $1", admin)
    made = await budgets.call(budgets_pb2.CreateOrganizationRequest(admin_user_id=admin, name="Kizhi"))
    mine = order(owner="organization", owner_id=made.organization.id)
    for _ in range(MOST_CAPS - 1):
        await budgets.put_as(admin, **mine)

    async with auth_pool.acquire() as other, other.transaction():
        await other.execute("SELECT FROM auth.organizations FOR SHARE")
        setting = asyncio.create_task(budgets.put_as(admin, **mine))
        async with asyncio.timeout(60):
            while not await auth_pool.fetchval(WAITING) and not setting.done():
                await asyncio.sleep(0.01)
        await other.execute(ONE_MORE)

    with pytest.raises(Conflict):
        await setting
