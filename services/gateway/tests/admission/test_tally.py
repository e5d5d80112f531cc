"""What a key spent is counted once somebody has asked for it: exactly, without capping or delaying anything."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import msgspec

from services.gateway.admission.admission import Admission
from services.gateway.admission.budgets import EPOCH_AHEAD_S
from services.gateway.admission.keys import tally_key
from services.gateway.admission.periods import BudgetPeriod, id_time_ms
from services.gateway.admission.request import AdmissionRequest
from services.gateway.edge.request_id import new_request_id
from services.gateway.tests.admission.test_flush import until_equal
from services.gateway.tests.admission_kit import KEY, USER, Ledger, admission_on, budget, request

SPENDER = f"key:{KEY}"
COUNTER = tally_key(USER, SPENDER)


def asked(**changes: Any) -> AdmissionRequest:
    return msgspec.structs.replace(request(**changes), spender=SPENDER)


async def spend(admission: Admission, cost: int, **changes: Any) -> None:
    admitted = await admission.admit(asked(**changes))
    await admission.settle(admitted.ticket, 0, cost)


async def counted(client) -> tuple[int, int] | None:
    used, held = await client.hmget(COUNTER, ["u", "h"])
    return None if used is None else (int(used), int(held))


async def begin(admission: Admission, client) -> None:
    admission.begin_counting(SPENDER, USER)
    async with asyncio.timeout(20):
        while await counted(client) is None:
            await asyncio.sleep(0.01)


async def test_nobody_is_counted_or_delayed_before_somebody_asks(redis_url, redis_client):
    """No counter, no question to the usage service."""
    ledger = Ledger(5)
    async with admission_on(redis_url, ledger) as admission:
        await spend(admission, 10)

    assert await counted(redis_client) is None
    assert ledger.asked == []


async def test_from_then_on_each_settlement_is_counted_beside_what_was_stored(redis_url, redis_client):
    """Held while it runs, its cost afterwards; a second asking changes nothing."""
    async with admission_on(redis_url, Ledger(500)) as admission:
        await begin(admission, redis_client)
        running = await admission.admit(asked(hold=1000))
        held = await counted(redis_client)
        await admission.settle(running.ticket, 0, 70)
        await admission.settle(running.ticket, 0, 70)
        await begin(admission, redis_client)

    assert held == (500, 1000)
    assert await counted(redis_client) == (570, 0)


async def test_what_ran_before_the_counter_is_counted_once_by_its_row(redis_url, redis_client):
    """It holds nothing in it; the rows that arrive later have it, and are counted again."""
    ledger = Ledger(500)
    async with admission_on(redis_url, ledger) as admission:
        before = await admission.admit(asked())
        await begin(admission, redis_client)
        await admission.settle(before.ticket, 0, 30)
        ledger.spent = 530

        await until_equal(lambda: counted(redis_client), (530, 0))


async def test_a_lifetime_budget_of_the_key_is_its_tally(redis_url, redis_client):
    """One counter, held in once."""
    async with admission_on(redis_url, Ledger(500)) as admission:
        await spend(admission, 10, budgets=(replace(budget(10_000), subject=SPENDER, period=BudgetPeriod.TOTAL),))

    assert await counted(redis_client) == (510, 0)


async def test_a_hold_that_redis_lost_is_counted_all_the_same(redis_url, redis_client):
    """Redis forgot hold and counter; the counter was asked for anew before the request ended."""
    async with admission_on(redis_url, Ledger(500)) as admission:
        await begin(admission, redis_client)
        later = new_request_id()
        running = await admission.admit(asked(request_id=later))
        await redis_client.flushdb()
        await begin(admission, redis_client)
        await redis_client.hset(COUNTER, "t", id_time_ms(later) - int(EPOCH_AHEAD_S * 1000))
        # An answer of Redis from then on: what time it is there is guessed, and may be guessed to be before.
        await admission.admit(asked(hold=0))
        await admission.settle(running.ticket, 0, 40)

    assert await counted(redis_client) == (540, 0)
