"""What comes with a decision: the ticket, what runs, what is measured, and what a lost Redis changes of that."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import msgspec
import pytest
from prometheus_client import REGISTRY

from servicekit.errors import ErrorReason, Unavailable
from services.gateway.admission.dimensions import Dimension, Limits
from services.gateway.admission.keys import details_key
from services.gateway.admission.request import AdmissionRefused
from services.gateway.admission.wire import SettleCall
from services.gateway.metering.hold import Ticket
from services.gateway.tests.admission_kit import USER, Ledger, admission_on, budget, counters, request

BUDGETS = (budget(10_000),)


def metric(name: str) -> float:
    """Return a metric of the gateway."""
    return REGISTRY.get_sample_value(f"razvilka_gateway_{name}") or 0.0


async def test_an_admitted_request_has_a_ticket_and_runs_until_it_is_settled(redis_url: str, redis_client: Any) -> None:
    """The ticket says when it was admitted, by the clock of Redis, and what counts it."""
    asked, began = request(budgets=BUDGETS, user=Limits(requests_per_minute=60)), time.monotonic()
    count, seconds = metric("admission_seconds_count"), metric("admission_seconds_sum")
    async with admission_on(redis_url) as admission:
        before_s, _ = await redis_client.time()
        admitted = await admission.admit(asked)
        after_s, _ = await redis_client.time()
        running = admission.running
        await admission.settle(admitted.ticket, 0, 5)

        assert (running, admission.running) == (1, 0)
    assert admitted.ticket == Ticket(USER, asked.request_id, admitted.ticket.admitted_at_us, asked.budget_keys)
    assert before_s * 1e6 <= admitted.ticket.admitted_at_us < (after_s + 1) * 1e6
    assert not admitted.degraded
    assert [figure.dimension for figure in admitted.report.figures] == [Dimension.REQUESTS_PER_MINUTE]
    assert metric("admission_seconds_count") == count + 1
    assert 0 <= metric("admission_seconds_sum") - seconds <= time.monotonic() - began


async def test_a_cancelled_request_cost_nothing(redis_url: str, redis_client: Any) -> None:
    """Neither money nor tokens: the next one has the whole minute's."""
    limits = Limits(tokens_per_minute=1000)
    async with admission_on(redis_url) as admission:
        for _ in range(2):
            admitted = await admission.admit(request(budgets=BUDGETS, user=limits, tokens=1000))
            await admission.cancel(admitted.ticket)

    assert await counters(redis_client) == {"used": 0, "held": 0}


async def test_what_a_lost_redis_would_have_decided_is_decided_here(free_port: int) -> None:
    """The ticket has no time of Redis; what it holds comes back all the same."""
    count, before = metric("admission_seconds_count"), metric("limits_degraded_requests_total")
    asked = request(budgets=BUDGETS, hold=100, user=Limits(requests_per_minute=60))
    async with admission_on(f"redis://127.0.0.1:{free_port}/0") as admission:
        admitted = await admission.admit(asked)
        running = admission.running
        with pytest.raises(Unavailable):
            await admission.admit(request(budgets=BUDGETS, hold=1))
        await admission.settle(admitted.ticket, 0, 40)
        again = await admission.admit(request(budgets=BUDGETS, hold=60))

        assert (running, admission.running) == (1, 1)
    assert admitted.ticket == Ticket(USER, asked.request_id, 0, asked.budget_keys)
    assert (admitted.degraded, again.degraded) == (True, True)
    assert [(figure.limit, figure.remaining) for figure in admitted.report.figures] == [(60, 47)]
    assert metric("limits_degraded_requests_total") == before + 3
    assert metric("admission_seconds_count") == count + 2


async def test_what_is_refused_without_redis_is_settled_when_it_is_back(free_port: int) -> None:
    """It may have been admitted there before the answer was lost."""
    at_once = Limits(concurrent_requests=1)
    async with admission_on(f"redis://127.0.0.1:{free_port}/0") as admission:
        await admission.admit(request(user=at_once))
        before = len(admission._settling)
        with pytest.raises(AdmissionRefused) as refused:
            await admission.admit(request(user=at_once))
        with pytest.raises(Unavailable):
            await admission.admit(request(budgets=BUDGETS, hold=101))

        assert (before, len(admission._settling)) == (0, 2)
        assert admission.running == 1
    assert refused.value.report.violated is Dimension.CONCURRENCY


async def test_a_budget_of_which_nobody_knows_is_no_reason_to_decide_here(redis_url: str) -> None:
    """While Redis answers, only what was heard of a budget lately may be spent without the books."""
    ledger = Ledger()
    ledger.away = True
    async with admission_on(redis_url, ledger) as admission:
        with pytest.raises(Unavailable) as refused:
            await admission.admit(request(budgets=BUDGETS))

        assert admission.running == 0
    assert (refused.value.reason, refused.value.retry_after_s) == (ErrorReason.SERVICE_UNAVAILABLE, 2.0)


async def test_what_is_settled_for_a_caller_that_left_is_its_request_at_no_cost(free_port: int) -> None:
    """Redis may run the script all the same."""
    asked = request()
    async with admission_on(f"redis://127.0.0.1:{free_port}/0") as admission:
        leaving = asyncio.create_task(admission.admit(asked))
        await asyncio.sleep(0)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        (((key, payload),),) = admission._settling._waiting

    told = msgspec.msgpack.decode(payload, type=SettleCall)
    assert (key, told.request_id, told.tokens, told.cost) == (details_key(USER), asked.request_id, 0, 0)
