"""Admission over a real Redis: limits, budgets, what is consumed and what is given back."""

from __future__ import annotations

import asyncio
import time

import pytest

from servicekit.errors import ErrorReason, QuotaExceeded, Unavailable
from services.gateway.admission.dimensions import Dimension, Limits
from services.gateway.admission.keys import details_key
from services.gateway.admission.periods import BudgetPeriod
from services.gateway.admission.request import AdmissionRefused
from services.gateway.metering.hold import Ticket
from services.gateway.tests.admission_kit import (
    PATIENT,
    Ledger,
    admission_on,
    budget,
    counters,
    leftovers,
    request,
    still_clock,
)

REASONS = [
    (Limits(requests_per_minute=2), ErrorReason.RATE_LIMIT_EXCEEDED, Dimension.REQUESTS_PER_MINUTE),
    (Limits(requests_per_day=2), ErrorReason.QUOTA_EXCEEDED, Dimension.REQUESTS_PER_DAY),
    (Limits(tokens_per_minute=250), ErrorReason.RATE_LIMIT_EXCEEDED, Dimension.TOKENS_PER_MINUTE),
    (Limits(concurrent_requests=2), ErrorReason.CONCURRENT_LIMIT, Dimension.CONCURRENCY),
]


@pytest.mark.parametrize("subject", ["user", "key", "model"])
@pytest.mark.parametrize(("limits", "reason", "dimension"), REASONS, ids=[str(row[2]) for row in REASONS])
async def test_refuses_the_third_request_when_the_limit_is_two(redis_url, subject, limits, reason, dimension):
    """Each limit of each subject refuses by its own reason and says when to come back."""
    async with admission_on(redis_url) as admission:
        for _ in range(2):
            await admission.admit(request(**{subject: limits}))

        with pytest.raises(AdmissionRefused) as refused:
            await admission.admit(request(**{subject: limits}))

    assert refused.value.reason is reason
    assert refused.value.details["subject"] == subject
    assert refused.value.report.violated is dimension
    assert refused.value.kind == QuotaExceeded.kind
    assert (refused.value.retry_after_s or 0) > 0


async def test_a_refused_request_consumes_nothing(redis_url, redis_client):
    """A request that one limit refuses leaves the others, the budget and the holds as they were."""
    limits = Limits(requests_per_minute=5, requests_per_day=5, tokens_per_minute=500, concurrent_requests=1)
    async with admission_on(redis_url) as admission:
        await admission.admit(request(user=limits, budgets=(budget(10_000),)))
        before = await dump(redis_client)

        with pytest.raises(AdmissionRefused):
            await admission.admit(request(user=limits, budgets=(budget(10_000),)))

    assert await dump(redis_client) == before


async def test_settling_gives_back_the_slot_and_the_unused_tokens(redis_url, redis_client):
    """After a settle with fewer tokens the next request sees the difference."""
    limits = Limits(tokens_per_minute=1000, concurrent_requests=1)
    async with admission_on(redis_url) as admission:
        began = time.monotonic()
        first = await admission.admit(request(user=limits, tokens=900))
        await admission.settle(first.ticket, 100, 0)

        second = await admission.admit(request(user=limits, tokens=800))
        refilled = (time.monotonic() - began) * 1000 / 60

    left = {figure.dimension: figure.remaining for figure in second.report.figures}[Dimension.TOKENS_PER_MINUTE]
    assert 100 <= left <= 101 + refilled
    assert len(await leftovers(redis_client)) == 3


async def test_more_tokens_than_estimated_become_debt(redis_url):
    """A request that used more than it said makes the next one wait for the difference too."""
    limits = Limits(tokens_per_minute=1000)
    async with admission_on(redis_url) as admission:
        began = time.monotonic()
        first = await admission.admit(request(user=limits, tokens=100))
        await admission.settle(first.ticket, 2000, 0)

        with pytest.raises(AdmissionRefused) as refused:
            await admission.admit(request(user=limits, tokens=100))
        passed_s = time.monotonic() - began

    # 2,000 tokens are two minutes' worth; less what came back since.
    assert 65.9 - passed_s <= (refused.value.retry_after_s or 0) <= 66.1


async def test_a_request_above_a_minutes_tokens_waits_for_all_of_them(redis_url):
    """It is admitted by a full bucket, and the refusal says why it had to wait."""
    limits = Limits(tokens_per_minute=100)
    async with admission_on(redis_url) as admission:
        await admission.admit(request(user=limits, tokens=5000))

        with pytest.raises(AdmissionRefused) as refused:
            await admission.admit(request(user=limits, tokens=5000))

    assert "max_tokens" in refused.value.details["note"]
    assert 0 < (refused.value.retry_after_s or 0) <= 60


@pytest.mark.parametrize("period", list(BudgetPeriod), ids=str)
async def test_the_hold_becomes_the_cost(redis_url, redis_client, period):
    """Held while it runs, used when it is settled, for every period."""
    async with admission_on(redis_url, Ledger(500)) as admission:
        admitted = await admission.admit(request(budgets=(budget(10_000, period),), hold=4000))
        held = await counters(redis_client)
        await admission.settle(admitted.ticket, 0, 1234)

    assert held == {"used": 500, "held": 4000}
    assert await counters(redis_client) == {"used": 1734, "held": 0}
    assert await leftovers(redis_client) == []


async def test_settling_twice_counts_once(redis_url, redis_client):
    """Also when the second settle says something else, and when a cancel follows."""
    limits = Limits(tokens_per_minute=1000, concurrent_requests=3)
    async with admission_on(redis_url) as admission:
        admitted = await admission.admit(request(user=limits, budgets=(budget(10_000),)))
        await admission.settle(admitted.ticket, 50, 700)
        once = await dump(redis_client)

        await admission.settle(admitted.ticket, 60, 900)
        await admission.cancel(admitted.ticket)

    assert await dump(redis_client) == once
    assert await counters(redis_client) == {"used": 700, "held": 0}


async def test_counters_are_rebuilt_by_one_question(redis_url, redis_client):
    """Fifty callers that miss the same counters ask the usage service once."""
    ledger = Ledger(9_000)
    async with admission_on(redis_url, ledger, clock=still_clock()) as admission:
        answers = await asyncio.gather(
            *(admission.admit(request(budgets=(budget(10_000),), hold=100)) for _ in range(50)), return_exceptions=True
        )

    assert sum(not isinstance(answer, BaseException) for answer in answers) == 10
    assert len(ledger.asked) == 1
    since = ledger.asked[0][2]
    assert since is not None
    assert since.day == 1


async def test_a_budget_without_a_known_spend_is_refused(redis_url):
    """When the usage service is away and Redis knows nothing, nobody may spend."""

    ledger = Ledger()
    ledger.away = True
    async with admission_on(redis_url, ledger) as admission:
        with pytest.raises(Unavailable):
            await admission.admit(request(budgets=(budget(10_000),)))


async def test_a_request_in_flight_over_a_flush_is_counted_once(redis_url, redis_client):
    """Its hold is lost, the counters are rebuilt without it, its settle adds it; a second settle adds nothing."""
    ledger = Ledger(0)
    async with admission_on(redis_url, ledger) as admission:
        running = await admission.admit(request(budgets=(budget(10_000),)))
        await redis_client.flushdb()
        ledger.spent = 300
        other = await admission.admit(request(budgets=(budget(10_000),)))

        for _ in range(2):
            await admission.settle(running.ticket, 0, 50)
        await admission.settle(other.ticket, 0, 7)

    assert await counters(redis_client) == {"used": 357, "held": 0}


async def test_a_request_settled_before_the_rebuild_is_not_added_again(redis_url, redis_client):
    """Its row is among those that were summed."""
    ledger = Ledger(0)
    async with admission_on(redis_url, ledger) as admission:
        done = await admission.admit(request(budgets=(budget(10_000),)))
        await admission.settle(done.ticket, 0, 50)
        await redis_client.flushdb()
        await admission.settle(done.ticket, 0, 50)
        ledger.spent = 50
        await admission.admit(request(budgets=(budget(10_000),)))

    assert (await counters(redis_client))["used"] == 50


async def test_renewal_restores_what_a_flush_took(redis_url, redis_client):
    """A running request's lease and hold are written again and settle as if nothing had been."""
    limits = Limits(concurrent_requests=1)
    options = type(PATIENT)(timeout_s=5.0, replicas=1, renew_every_s=0.01)
    async with admission_on(redis_url, options=options) as admission:
        running = await admission.admit(request(user=limits, budgets=(budget(10_000),)))
        await redis_client.flushdb()
        while not await redis_client.exists(details_key(running.ticket.user_id)):
            await asyncio.sleep(0.01)
        with pytest.raises(AdmissionRefused):
            await admission.admit(request(user=limits))
        other = await admission.admit(request(budgets=(budget(10_000),), hold=5))
        rebuilt = await counters(redis_client)
        await admission.cancel(other.ticket)
        for _ in range(2):
            await admission.settle(running.ticket, 0, 70)

    assert rebuilt == {"used": 0, "held": 1005}
    assert await counters(redis_client) == {"used": 70, "held": 0}
    assert await leftovers(redis_client) == []


async def test_a_lease_without_renewal_frees_its_slot(redis_url):
    """A gateway that died holds its slots for the life of a lease and no longer."""
    limits = Limits(concurrent_requests=1)
    options = type(PATIENT)(timeout_s=5.0, replicas=1, lease_s=0.05, renew_every_s=60)
    async with admission_on(redis_url, options=options) as admission:
        await admission.admit(request(user=limits))
        await asyncio.sleep(0.06)

        assert await admission.admit(request(user=limits))


async def test_the_same_request_sent_twice_counts_once(redis_url, redis_client):
    """A command that is repeated because its connection broke consumes nothing the second time."""
    limits = Limits(requests_per_minute=5, requests_per_day=5, tokens_per_minute=500, concurrent_requests=1)
    same = request(user=limits, budgets=(budget(1000),))
    async with admission_on(redis_url) as admission:
        first = await admission.admit(same)
        before = await dump(redis_client)

        again = await admission.admit(same)
        refilled_s = (again.ticket.admitted_at_us - first.ticket.admitted_at_us) / 1e6

    assert await dump(redis_client) == before
    left = {figure.dimension: figure.remaining for figure in again.report.figures}
    assert (left[Dimension.REQUESTS_PER_DAY], left[Dimension.CONCURRENCY]) == (4, 0)
    assert 4 <= left[Dimension.REQUESTS_PER_MINUTE] <= 4.5 + refilled_s * 5 / 60
    assert 400 <= left[Dimension.TOKENS_PER_MINUTE] <= 400.5 + refilled_s * 500 / 60


async def test_scripts_that_redis_forgot_are_sent_again(redis_url, redis_client):
    """SCRIPT FLUSH costs one more round trip and nothing else."""
    async with admission_on(redis_url) as admission:
        await admission.admit(request())
        await redis_client.script_flush()

        assert not (await admission.admit(request())).degraded


async def test_a_connection_that_redis_closed_is_opened_again(redis_url, redis_client):
    """An idle connection killed by the server does not cost the caller anything."""
    async with admission_on(redis_url) as admission:
        await admission.admit(request())
        await redis_client.client_kill_filter(_type="normal", skipme=True)

        assert not (await admission.admit(request())).degraded


async def test_a_caller_that_leaves_while_it_waits_leaves_no_hold(redis_url, redis_client):
    """The script may have run: what it held is given back."""
    async with admission_on(redis_url) as admission:
        waiting = [asyncio.ensure_future(admission.admit(request(budgets=(budget(10_000),)))) for _ in range(20)]
        await asyncio.sleep(0)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    assert await leftovers(redis_client) == []


async def test_an_unknown_ticket_settles_nothing(redis_url, redis_client):
    """A ticket of a request that was never admitted changes no counter."""
    async with admission_on(redis_url) as admission:
        await admission.settle(Ticket("somebody", "unknown", 5, ("gw:{somebody}:b:user:x:t",)), 10, 10)

    assert await redis_client.keys("gw:{somebody}*") == []


async def dump(client) -> dict[bytes, object]:
    """Return everything admission keeps, times of leases included."""
    found: dict[bytes, object] = {}
    for key in await client.keys("gw:{*"):
        kind = await client.type(key)
        found[key] = await (client.hgetall(key) if kind == b"hash" else client.zrange(key, 0, -1, withscores=True))
    return found
