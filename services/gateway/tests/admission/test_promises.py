"""What a caller is told is what happens: how much is left, and when to come again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis.asyncio
from msgspec import structs

from servicekit.testing import FakeClock
from servicekit.testing.relay import Relay
from services.gateway.admission.admission import Admission
from services.gateway.admission.caps import Budget
from services.gateway.admission.degraded.local_limits import LocalLimits
from services.gateway.admission.dimensions import Dimension, Limits
from services.gateway.admission.headers import rate_limit_headers
from services.gateway.admission.options import AdmissionOptions
from services.gateway.admission.periods import BudgetPeriod, window_of
from services.gateway.admission.request import AdmissionRefused, AdmissionRequest
from services.gateway.edge.request_id import new_request_id
from services.gateway.tests.admission_kit import USER, admission_on, budget, request

DAY = BudgetPeriod.DAY
# Where a clock that stands still begins.
MIDDAY_TO_MIDNIGHT_S = 43_200


async def refusal(admission: Admission, asked: AdmissionRequest) -> AdmissionRefused:
    """Return how the request is refused."""
    with pytest.raises(AdmissionRefused) as refused:
        await admission.admit(asked)
    return refused.value


async def later(client: redis.asyncio.Redis, seconds: float) -> None:
    """Have all buckets of the user be as they are after so long."""
    async for key in client.scan_iter(match=f"gw:{{{USER}}}:s:*"):
        for field in ("rpm", "tpm", "tpm:s"):
            value = await client.hget(key, field)
            if value is not None:
                await client.hset(key, field, f"{float(value) - seconds * 1e6:.2f}")


def headers(refused: AdmissionRefused) -> dict[bytes, bytes]:
    """Return the headers of the 429 at the beginning of Unix time."""
    return dict(rate_limit_headers(refused.report, now_s=0))


def days(limit: int) -> list[Budget]:
    """Return two daily budgets, the one that ends first first."""
    now_s = int(datetime.now(UTC).timestamp())
    found = [replace(budget(limit, DAY), time_zone=zone, id=zone) for zone in ("Etc/GMT-6", "Etc/GMT+6")]
    return sorted(found, key=lambda each: ends_of(each.time_zone, now_s))


def ends_of(zone: str, now_s: int) -> int:
    """Return when the day of a zone ends, in Unix seconds."""
    window = window_of(DAY, zone, now_s)
    assert window is not None
    return window.ends_s


async def test_of_two_spent_budgets_the_one_that_lasts_longer_says_when_to_come_again(redis_url: str) -> None:
    """Whoever came again when the first began anew was refused by the second."""
    first, last = days(1_500)
    async with admission_on(redis_url) as admission:
        await admission.admit(request(budgets=(first, last)))
        refused = await refusal(admission, request(budgets=(first, last)))

    assert refused.details["limit_id"] == last.id
    now_s = datetime.now(UTC).timestamp()
    assert refused.retry_after_s == pytest.approx(ends_of(last.time_zone, int(now_s)) - now_s, abs=60)


async def test_a_budget_that_never_covers_a_request_is_no_reason_to_come_again(redis_url: str) -> None:
    """Nor is one that never begins anew, whatever else is spent."""
    first, last = days(1_500)
    small = replace(first, limit_micro_rub=500)
    endless = replace(budget(500, BudgetPeriod.TOTAL), id="ever")
    asked = structs.replace(request(budgets=(small, last)), least_hold_micro_rub=1_000)
    async with admission_on(redis_url) as admission:
        too_dear = await refusal(admission, asked)
        spent = await refusal(admission, request(budgets=(last, endless)))

    assert (too_dear.details["limit_id"], too_dear.retry_after_s) == (first.id, None)
    assert (spent.details["limit_id"], spent.retry_after_s) == ("ever", None)


@pytest.mark.parametrize("zone", ["Etc/GMT-1", "Etc/GMT-14"])
async def test_a_spent_budget_and_a_spent_day_are_both_waited_for(redis_url: str, zone: str) -> None:
    """The budget's day ends by its owner's clock, that of requests at midnight UTC: the later one is told."""
    asked: dict[str, Any] = {
        "budgets": (replace(budget(1_500, DAY), time_zone=zone),),
        "user": Limits(requests_per_day=1),
    }
    async with admission_on(redis_url) as admission:
        await admission.admit(request(**asked))
        refused = await refusal(admission, request(**asked))

    now_s = datetime.now(UTC).timestamp()
    latest = max(ends_of(each, int(now_s)) for each in ("UTC", zone))
    assert refused.retry_after_s == pytest.approx(latest - now_s, abs=60)


async def test_each_application_has_the_limits_of_a_credential_and_a_person_has_none(redis_url: str) -> None:
    """All that came without a key shared one bucket: an application was refused for another, and for its user."""
    without_key = structs.replace(request(key=Limits(requests_per_minute=1)), key_id="")

    def of(spender: str) -> AdmissionRequest:
        return structs.replace(without_key, spender=spender, request_id=new_request_id())

    async with admission_on(redis_url) as admission:
        for asked in (of("grant:one"), of("grant:another"), of(""), of("")):
            await admission.admit(asked)
        refused = await refusal(admission, of("grant:one"))

    assert {"subject": "grant", "owner": "app", "owner_id": "one", "limit": "1"}.items() <= refused.details.items()


async def test_headers_of_a_refusal_are_of_whose_limit_refuses(redis_url: str) -> None:
    """The user has nothing left either, but half a minute is enough for that: the model's limit is told."""
    user, model = Limits(requests_per_minute=2), Limits(requests_per_minute=1)
    async with admission_on(redis_url) as admission:
        await admission.admit(request(user=user, model=model))
        await admission.admit(request(user=user))
        refused = await refusal(admission, request(user=user, model=model))

    told = headers(refused)
    assert refused.details["subject"] == "model"
    assert (told[b"x-ratelimit-limit"], told[b"ratelimit-policy"]) == (b"1", b'"rpm";q=1;w=60')
    assert told[b"ratelimit"] == b'"rpm";r=0;t=%d' % int(told[b"retry-after"])


async def test_tokens_that_are_left_are_of_the_limit_that_refuses(redis_url: str) -> None:
    """A full bucket that is smaller than the request would let it pass."""
    limits: dict[str, Any] = {"user": Limits(tokens_per_minute=100), "key": Limits(tokens_per_minute=1_000)}
    async with admission_on(redis_url) as admission:
        await admission.admit(request(key=limits["key"], tokens=500))
        refused = await refusal(admission, request(**limits, tokens=800))

    (figure,) = refused.report.figures
    assert (refused.details["subject"], refused.details["limit"]) == ("key", "1000")
    assert (figure.dimension, figure.limit) == (Dimension.TOKENS_PER_MINUTE, 1_000)
    assert 500 <= figure.remaining < 800


@pytest.mark.parametrize(
    ("limits", "tokens"),
    [
        (Limits(requests_per_minute=1), 0),
        (Limits(requests_per_minute=3), 0),
        (Limits(tokens_per_minute=1), 1),
        (Limits(tokens_per_minute=10), 1_000_000),
        (Limits(tokens_per_minute=7), 3),
        (Limits(tokens_per_minute=1_000_000_000), 300_000_000),
    ],
    ids=lambda each: str(each.by_name) if isinstance(each, Limits) else None,
)
async def test_what_is_left_passes_at_once_and_the_rest_when_it_was_told(
    redis_url: str, redis_client: redis.asyncio.Redis, limits: Limits, tokens: int
) -> None:
    """One request more than fits is refused until `Retry-After`, which asking again does not move, and then passes."""
    (limit,) = limits.by_name.values()
    fits = max(1, limit // max(1, tokens))
    async with admission_on(redis_url) as admission:
        left = [
            (await admission.admit(request(user=limits, tokens=tokens))).report.figures[0].remaining
            for _ in range(fits)
        ]
        refused = await refusal(admission, request(user=limits, tokens=tokens))
        wait_s = refused.retry_after_s or 0.0
        await later(redis_client, wait_s / 2)
        again = await refusal(admission, request(user=limits, tokens=tokens))
        await later(redis_client, again.retry_after_s or 0.0)
        admitted = await admission.admit(request(user=limits, tokens=tokens))

    each = min(max(1, tokens), limit)
    assert all(limit - each * (n + 1) <= remaining for n, remaining in enumerate(left))
    assert refused.report.figures[0].remaining < each
    assert 0 < (again.retry_after_s or 0.0) <= wait_s / 2
    assert admitted.report.figures[0].limit == limit


def without_redis(clock: FakeClock | None = None) -> LocalLimits:
    """Return what the only gateway grants."""
    return LocalLimits(clock or FakeClock(), AdmissionOptions(), replicas=lambda: 1)


def refused_locally(local: LocalLimits, asked: AdmissionRequest) -> AdmissionRefused:
    """Return how the request is refused."""
    with pytest.raises(AdmissionRefused) as refused:
        local.admit(asked)
    return refused.value


def test_without_redis_the_limit_that_refuses_longest_says_when_to_come_again() -> None:
    """Whoever came again when a minute's were back was refused by the day's."""
    clock = FakeClock()
    local = without_redis(clock)
    limits: dict[str, Any] = {"user": Limits(requests_per_minute=1), "key": Limits(requests_per_day=1)}
    local.admit(request(**limits))

    refused = refused_locally(local, request(**limits))
    clock.advance(refused.retry_after_s or 0.0)

    assert (refused.details["dimension"], refused.retry_after_s) == ("rpd", MIDDAY_TO_MIDNIGHT_S)
    local.admit(request(**limits))


def test_without_redis_a_reset_is_told_to_the_moment() -> None:
    """Four a minute, one of which was taken 7.5 s ago and one now: 22.5 s, not 30."""
    clock = FakeClock()
    local, limits = without_redis(clock), Limits(requests_per_minute=5)
    local.admit(request(user=limits))
    clock.advance(7.5)

    (figure,) = local.admit(request(user=limits)).figures

    assert (figure.remaining, figure.reset_s) == (2, 22.5)


def test_without_redis_a_day_begins_at_midnight() -> None:
    """As with it: nothing of it comes back before, and all of it then."""
    clock = FakeClock()
    local, limits = without_redis(clock), Limits(requests_per_day=10)
    told = [local.admit(request(user=limits)).figures[0] for _ in range(8)]
    clock.advance(MIDDAY_TO_MIDNIGHT_S - 1)
    refused = refused_locally(local, request(user=limits))
    clock.advance(1)

    assert [(each.remaining, each.reset_s) for each in told[::7]] == [
        (7, MIDDAY_TO_MIDNIGHT_S),
        (0, MIDDAY_TO_MIDNIGHT_S),
    ]
    assert refused.retry_after_s == 1
    assert local.admit(request(user=limits)).figures[0].remaining == 7


@pytest.mark.parametrize(("used", "left"), [(100, 599), (700, 0), (0, 699)])
def test_without_redis_tokens_that_were_not_used_come_back(used: int, left: int) -> None:
    """A request that might use 700 of 800 left no room for another; they come back once."""
    local, limits = without_redis(), Limits(tokens_per_minute=1_000)
    first = request(user=limits, tokens=700)
    local.admit(first)
    for _ in range(2):
        local.release(first.request_id, 0, used)

    told = local.admit(request(user=limits, tokens=min(101, 800 - used)))

    assert told.figures[0].remaining == left


def test_without_redis_tokens_above_the_estimate_are_owed() -> None:
    """As in Redis: whoever used more waits for it."""
    local, limits = without_redis(), Limits(tokens_per_minute=1_000)
    first = request(user=limits, tokens=800)
    local.admit(first)
    local.release(first.request_id, 0, 1_600)

    assert refused_locally(local, request(user=limits, tokens=800)).retry_after_s == pytest.approx(120, abs=1e-3)


def test_what_redis_admitted_is_not_granted_once_more_without_it() -> None:
    """Whoever had used up a day's requests had four fifths of them again whenever Redis was away for a moment."""
    clock = FakeClock()
    local = without_redis(clock)
    limits: dict[str, Any] = {"user": Limits(requests_per_day=10, tokens_per_minute=1_000)}
    for _ in range(10):
        told = request(**limits, tokens=100)
        local.note(told)
        local.release(told.request_id, 0, 100)

    refused = refused_locally(local, request(**limits, tokens=0))
    clock.advance(refused.retry_after_s or 0.0)

    assert (refused.details["dimension"], refused.retry_after_s) == ("rpd", MIDDAY_TO_MIDNIGHT_S)
    assert local.admit(request(**limits, tokens=0)).figures[0].remaining == 7


async def test_a_gateway_whose_redis_goes_knows_what_it_has_admitted(redis_url: str) -> None:
    """The whole way: admitted by Redis, then alone."""
    there, limits = urlsplit(redis_url), Limits(requests_per_day=2)
    relay = Relay(str(there.hostname), there.port or 0)
    url = there._replace(netloc=f"127.0.0.1:{await relay.open()}").geturl()
    async with admission_on(url) as admission:
        admitted = [await admission.admit(request(user=limits)) for _ in range(2)]
        relay.shut()
        refused = await refusal(admission, request(user=limits))

    assert not any(each.degraded for each in admitted)
    (figure,) = refused.report.figures
    assert (figure.dimension, figure.limit, figure.remaining) == (Dimension.REQUESTS_PER_DAY, 2, 0)
    assert refused.details["dimension"] == "rpd"
