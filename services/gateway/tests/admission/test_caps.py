"""Several budgets of one subject, weeks, budgets that only tell or watch, and quotas of models."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from msgspec import structs

from servicekit.errors import ErrorReason, Unavailable
from servicekit.testing import FakeClock
from services.gateway.admission.admission import Admission
from services.gateway.admission.caps import Budget, CapMode, Quota, counters_of, matching
from services.gateway.admission.degraded.local_limits import LocalLimits
from services.gateway.admission.dimensions import Dimension
from services.gateway.admission.headers import rate_limit_headers
from services.gateway.admission.periods import BudgetPeriod, window_of
from services.gateway.admission.redis.counts import Count, RedisCounts
from services.gateway.admission.request import AdmissionRefused, AdmissionRequest
from services.gateway.tests.admission_kit import KEY, PATIENT, USER, Ledger, admission_on, counters, leftovers, request

MONTH, WEEK, DAY = BudgetPeriod.MONTH, BudgetPeriod.WEEK, BudgetPeriod.DAY
OF_USER, OF_KEY = f"user:{USER}", f"key:{KEY}"


def capped(limit: int, mode: CapMode = CapMode.HARD, id: str = "", period: BudgetPeriod = MONTH) -> Budget:
    """Return a budget of the account."""
    return Budget(OF_USER, period, limit, mode, id)


def quota(limit: int, dimension: Dimension, mode: CapMode = CapMode.HARD, models: str = "yandexgpt*") -> Quota:
    """Return a quota of the key."""
    return Quota("q1", OF_KEY, models, dimension, limit, mode)


async def refusal(admission: Admission, asked: AdmissionRequest) -> AdmissionRefused:
    """Return how the request is refused."""
    with pytest.raises(AdmissionRefused) as refused:
        await admission.admit(asked)
    return refused.value


async def test_budgets_of_one_subject_and_period_are_held_for_once(redis_url, redis_client):
    """The tighter one refuses; the counter they share has each request once, held and spent."""
    budgets = (capped(5_000, id="loose"), capped(2_500, id="tight"))
    async with admission_on(redis_url) as admission:
        admitted = await admission.admit(request(budgets=budgets, hold=1_000))
        held = await counters(redis_client)
        await admission.settle(admitted.ticket, 10, 700)
        spent = await counters(redis_client)
        refused = await refusal(admission, request(budgets=budgets, hold=1_801))

    assert (held, spent) == ({"used": 0, "held": 1_000}, {"used": 700, "held": 0})
    assert [(each.id, left) for each, left in admitted.budgets] == [("loose", 4_000), ("tight", 1_500)]
    assert (refused.details["limit_id"], refused.details["limit"], refused.details["used"]) == ("tight", "2500", "700")


@pytest.mark.parametrize("limit", [1_000, 400])
async def test_what_costs_nothing_passes_a_spent_budget_also_one_that_is_overdrawn(redis_url, redis_client, limit: int):
    """It was lowered below what is spent, or overdrawn by what was disputed: free models and hits of the cache pass."""
    watching = capped(limit, CapMode.SHADOW, "watching")
    async with admission_on(redis_url, Ledger(1_000)) as admission:
        await admission.admit(request(budgets=(capped(limit), watching), hold=0))
        refused = await refusal(admission, request(budgets=(capped(limit),), hold=1))
    told = await RedisCounts(redis_client).would_have_refused(USER, ["watching"])

    assert refused.reason is ErrorReason.BUDGET_EXCEEDED
    assert told == {}


def test_what_costs_nothing_needs_no_share_of_a_budget_without_redis():
    """A bill above its hold, given back, leaves less than nothing of the share."""
    local = LocalLimits(FakeClock(), PATIENT, replicas=lambda: 1)
    dear, free = (request(budgets=(capped(10_000),), hold=hold) for hold in (100, 0))
    local.admit(dear)
    local.occupy(dear)
    local.release(dear.request_id, 20_000)

    local.admit(free)

    with pytest.raises(Unavailable):
        local.admit(request(budgets=(capped(10_000),), hold=1))


async def test_a_day_and_a_month_cap_the_same_account(redis_url, redis_client):
    """Each has its counter; the one that is spent refuses and says when it begins anew."""
    budgets = (capped(1_500, id="day", period=DAY), capped(9_000, id="month"))
    async with admission_on(redis_url) as admission:
        await admission.admit(request(budgets=budgets, hold=1_000))
        refused = await refusal(admission, request(budgets=budgets, hold=1_000))

    tomorrow = window_of(DAY, "UTC", int(datetime.now(UTC).timestamp()))
    assert tomorrow is not None
    assert len(await redis_client.keys("gw:{*}:b:*")) == 2
    assert refused.details["resets_at"] == datetime.fromtimestamp(tomorrow.ends_s, UTC).isoformat()
    assert {"period": "day", "owner": "user", "unit": "micro_rub"}.items() <= refused.details.items()


def test_a_week_begins_on_monday_in_the_owners_zone():
    """The week of a Sunday evening in Moscow, which in UTC is the same Sunday; and the one an hour later."""
    sunday = datetime(2026, 11, 29, 20, 59, 59, tzinfo=UTC)

    this, following = (window_of(WEEK, "Europe/Moscow", int(sunday.timestamp()) + more) for more in (0, 1))

    assert this is not None
    assert following is not None
    assert this.ends_s == following.starts_s == int(datetime(2026, 11, 29, 21, tzinfo=UTC).timestamp())
    assert this.ends_s - this.starts_s == 7 * 86_400


def test_a_week_of_the_change_to_summer_time_has_an_hour_less():
    """Monday to Monday by the calendar, not 168 hours."""
    week = window_of(WEEK, "Europe/Berlin", int(datetime(2026, 3, 25, tzinfo=UTC).timestamp()))

    assert week is not None
    assert week.ends_s - week.starts_s == (7 * 24 - 1) * 3_600


async def test_a_soft_budget_tells_and_never_refuses(redis_url):
    """Nothing within it, a header beyond it."""
    budgets = (capped(1_500, CapMode.SOFT, "s1"),)
    async with admission_on(redis_url) as admission:
        within = await admission.admit(request(budgets=budgets, hold=1_000))
        beyond = await admission.admit(request(budgets=budgets, hold=1_000))

    headers = dict(rate_limit_headers(beyond.report, now_s=0.0))
    assert within.report.reached == ()
    assert headers[b"x-razvilka-limit"].startswith(
        b'"s1";mode=soft;owner=user;kind=budget;period=month;amount=1500;used=1000;unit=micro_rub;reset='
    )
    assert beyond.budgets[0][1] == -500


async def test_a_watching_budget_counts_what_it_would_have_refused(redis_url, redis_client):
    """Also beside one that does refuse: what that refuses is not counted."""
    budgets = (capped(1_500, CapMode.SHADOW, "w1"), capped(3_000, id="hard"))
    async with admission_on(redis_url) as admission:
        for _ in range(3):
            admitted = await admission.admit(request(budgets=budgets, hold=1_000))
        await refusal(admission, request(budgets=budgets, hold=1_000))

    counts = RedisCounts(redis_client)
    assert [(cap.id, cap.mode, cap.used) for cap in admitted.report.reached] == [("w1", CapMode.SHADOW, 2_000)]
    assert await counts.would_have_refused(USER, ["w1", "other"]) == {"w1": 2}
    assert await counts.of_budgets([*admitted.ticket.budget_keys, "gw:{u}:b:none:t"]) == {
        admitted.ticket.budget_keys[0]: Count(0, 3_000)
    }


async def test_asking_twice_counts_a_watching_cap_once(redis_url, redis_client):
    """A command that was sent twice must count once."""
    asked = request(budgets=(capped(500, CapMode.SHADOW, "w1"),), hold=1_000)
    async with admission_on(redis_url) as admission:
        for _ in range(2):
            await admission.admit(asked)

    assert await RedisCounts(redis_client).would_have_refused(USER, ["w1"]) == {"w1": 1}


async def test_a_quota_caps_the_models_of_its_pattern(redis_url):
    """Another model, and another key, are not counted."""
    caps = (quota(2, Dimension.REQUESTS_PER_MINUTE),)
    async with admission_on(redis_url) as admission:
        for _ in range(2):
            await admission.admit(structs.replace(request(), quotas=matching(caps, "yandexgpt:latest")))
        refused = await refusal(admission, structs.replace(request(), quotas=matching(caps, "yandexgpt:latest")))
        await admission.admit(structs.replace(request(), quotas=matching(caps, "gigachat:latest")))

    assert refused.reason is ErrorReason.RATE_LIMIT_EXCEEDED
    expected = {"limit_id": "q1", "owner": "key", "owner_id": KEY, "models": "yandexgpt*", "limit": "2"}
    assert expected.items() <= refused.details.items()
    assert "resets_at" in refused.details


async def test_a_quota_of_tokens_a_day_has_back_what_was_not_used(redis_url):
    """It takes the estimate and keeps what was used; a request above the whole quota waits for the next day."""
    caps = (quota(1_000, Dimension.TOKENS_PER_DAY),)
    async with admission_on(redis_url) as admission:
        first = await admission.admit(structs.replace(request(tokens=900), quotas=caps))
        refused = await refusal(admission, structs.replace(request(tokens=200), quotas=caps))
        await admission.settle(first.ticket, 100, 0)
        await admission.admit(structs.replace(request(tokens=900), quotas=caps))
        await refusal(admission, structs.replace(request(tokens=1), quotas=caps))

    assert (refused.reason, refused.details["unit"]) == (ErrorReason.QUOTA_EXCEEDED, "tokens")


async def test_a_watching_quota_takes_and_reports_nothing_of_what_it_would_have_refused(redis_url, redis_client):
    """No header says it is a limit; the count says how it would have been."""
    caps = (quota(1, Dimension.REQUESTS_PER_DAY, CapMode.SHADOW),)
    async with admission_on(redis_url) as admission:
        admitted = [await admission.admit(structs.replace(request(), quotas=caps)) for _ in range(3)]

    assert [each.report.figures for each in admitted] == [()] * 3
    assert [len(each.report.reached) for each in admitted] == [0, 1, 1]
    assert await RedisCounts(redis_client).would_have_refused(USER, ["q1"]) == {"q1": 2}
    assert await redis_client.hget(f"gw:{{{USER}}}:s:quota:q1", "rpd") == b"1"


async def test_what_only_tells_or_watches_is_no_reason_to_refuse_when_spending_is_unknown(redis_url):
    """Nobody says what was spent: only a budget that refuses has to know."""
    ledger = Ledger()
    ledger.away = True
    told = (capped(10, CapMode.SOFT, "s1"), capped(10, CapMode.SHADOW, "w1"))
    async with admission_on(redis_url, ledger, replace(PATIENT, rebuild_timeout_s=0.5)) as admission:
        admitted = await admission.admit(request(budgets=told))

    assert admitted.degraded


def test_without_redis_only_what_refuses_refuses():
    """A watching quota and a soft budget have no share to use up."""
    local = LocalLimits(FakeClock(), PATIENT, replicas=lambda: 1)
    watching = (quota(1, Dimension.REQUESTS_PER_MINUTE, CapMode.SHADOW),)
    refusing = (quota(2, Dimension.REQUESTS_PER_MINUTE),)

    for _ in range(3):
        local.admit(structs.replace(request(budgets=(capped(1, CapMode.SOFT, "s1"),)), quotas=watching))
    local.admit(structs.replace(request(), quotas=refusing))
    with pytest.raises(AdmissionRefused) as refused:
        local.admit(structs.replace(request(), quotas=refusing))

    assert refused.value.details["limit_id"] == "q1"


def test_an_organizations_counter_follows_its_own_zone_and_name():
    """Members share it, wherever they live."""
    budgets = (Budget("organization:o", DAY, 5, time_zone="Asia/Kamchatka"), Budget(OF_USER, DAY, 5))

    of_organization, of_user = counters_of(USER, budgets, "UTC", 1_700_000_000)

    assert of_organization.key.startswith("gw:{organization:o}:b:organization:o:d")
    assert (of_organization.owner, of_user.owner) == ("organization:o", USER)
    assert of_organization.key.rpartition(":")[2] != of_user.key.rpartition(":")[2]


async def test_members_of_an_organization_share_its_budget(redis_url, redis_client):
    """What one holds another cannot have; settled, nothing is left but what was spent."""
    shared = (Budget("organization:o", MONTH, 2_000, id="o1", time_zone="UTC"),)
    other = structs.replace(request(budgets=shared, hold=1_500), user_id="another")
    async with admission_on(redis_url) as admission:
        first = await admission.admit(request(budgets=shared, hold=1_000))
        refused = await refusal(admission, other)
        await admission.settle(first.ticket, 10, 400)
        second = await admission.admit(other)
        await admission.settle(second.ticket, 10, 300)

    assert (refused.details["owner"], refused.details["owner_id"], refused.details["used"]) == (
        "organization",
        "o",
        "1000",
    )
    assert await counters(redis_client) == {"used": 700, "held": 0}
    assert await leftovers(redis_client) == []


async def test_an_organizations_lost_counter_comes_back_with_what_all_members_hold(redis_url, redis_client):
    """Redis loses everything while two members' requests run: the next request finds both holds."""
    shared = (Budget("organization:o", MONTH, 2_500, id="o1", time_zone="UTC"),)
    async with admission_on(redis_url, Ledger(spent=100)) as admission:
        for user_id in ("one", "another"):
            await admission.admit(structs.replace(request(budgets=shared, hold=1_000), user_id=user_id))
        await redis_client.flushdb()
        refused = await refusal(admission, structs.replace(request(budgets=shared, hold=500), user_id="third"))

    assert refused.details["used"] == "2100"
    assert await counters(redis_client) == {"used": 100, "held": 2_000}
