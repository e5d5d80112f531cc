"""Redis flushed under load: budgets are whole again at once, every request counted in exactly one way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from services.gateway.admission.keys import details_key
from services.gateway.admission.redis.scripts import ADMIT, RECOUNT, SEED, SETTLE
from services.gateway.admission.wire import AdmitCall, BudgetWire, Mode, RecountCall, SeedCall, SettleCall, pack
from services.gateway.tests.admission_kit import USER, Ledger, admission_on, budget, counters, leftovers, request

BUDGETS = (budget(1_000_000),)
DETAILS = details_key(USER)
KEY = f"gw:{{{USER}}}:b:user:{USER}:t"
EPOCH_MS = 1_000


async def until_equal(read: Callable[[], Awaitable[object]], expected: object) -> None:
    """Return when what is read is what is expected."""
    async with asyncio.timeout(20):
        while await read() != expected:
            await asyncio.sleep(0.02)


async def test_rows_on_their_way_are_added_to_a_rebuilt_counter(redis_url, redis_client):
    """Settled before the flush, stored after the rebuild: counted again without waiting for the reconciliation."""
    ledger = Ledger(0)
    async with admission_on(redis_url, ledger) as admission:
        before = await admission.admit(request(budgets=BUDGETS))
        await admission.settle(before.ticket, 0, 50)
        await redis_client.flushdb()
        after = await admission.admit(request(budgets=BUDGETS))
        await admission.settle(after.ticket, 0, 7)
        at_once = await counters(redis_client)
        ledger.spent = 57

        await until_equal(lambda: counters(redis_client), {"used": 57, "held": 0})

    assert at_once == {"used": 7, "held": 0}


async def test_what_runs_is_held_again_with_the_first_request_after_a_flush(redis_url, redis_client):
    """Not at the next renewal: until then others could spend what is promised."""
    async with admission_on(redis_url) as admission:
        running = [await admission.admit(request(budgets=BUDGETS, hold=1000)) for _ in range(5)]
        await redis_client.flushdb()
        running.append(await admission.admit(request(budgets=BUDGETS, hold=1000)))
        held = await counters(redis_client)
        for each in running:
            await admission.settle(each.ticket, 0, 10)

    assert held == {"used": 0, "held": 6000}
    assert await counters(redis_client) == {"used": 60, "held": 0}
    assert await leftovers(redis_client) == []


async def test_what_runs_at_another_gateway_is_held_again_too(redis_url, redis_client):
    """It notices by its own heartbeat, or by the first counter it sees, that Redis began anew."""
    async with admission_on(redis_url, boot_id="one") as one, admission_on(redis_url, boot_id="two") as two:
        running = await two.admit(request(budgets=BUDGETS, hold=1000))
        await redis_client.flushdb()
        await one.admit(request(budgets=BUDGETS, hold=300))
        await two.admit(request(budgets=BUDGETS, hold=20))

        await until_equal(lambda: counters(redis_client), {"used": 0, "held": 1320})
        await two.settle(running.ticket, 0, 5)

        assert await counters(redis_client) == {"used": 5, "held": 320}


def settled(request_id: str, made_ms: int, cost: int, *, settled_us: int, admitted_us: int = 1) -> bytes:
    """Return the argument of a settle."""
    return pack(SettleCall(request_id, made_ms, 0, cost, settled_us, admitted_us, (KEY,)))


async def test_a_settle_that_its_row_overtook_is_not_counted_twice(redis_client):
    """It waited for Redis, its row did not: the recount has it, and s says so."""
    hold = AdmitCall("old", Mode.DECIDE, 60_000_000, 0, 100, [], [BudgetWire("user:u", KEY, 10_000, True)], "[]")
    await redis_client.eval(SEED.body, 1, DETAILS, pack(SeedCall(KEY, 0, 0, EPOCH_MS)))
    await redis_client.eval(ADMIT.body, 1, DETAILS, pack(hold))
    asked_us = int(await redis_client.hget(KEY, "s")) + 1
    raised = await redis_client.eval(RECOUNT.body, 1, DETAILS, pack(RecountCall(KEY, EPOCH_MS, 40)))

    await redis_client.eval(SETTLE.body, 1, DETAILS, settled("old", EPOCH_MS - 1, 40, settled_us=asked_us))

    assert raised == 1
    assert await counters(redis_client) == {"used": 40, "held": 0}


async def test_a_recount_leaves_alone_what_only_the_counter_counts(redis_client):
    """Requests made after the epoch are none of its business, and it never lowers."""
    await redis_client.eval(SEED.body, 1, DETAILS, pack(SeedCall(KEY, 100, 0, EPOCH_MS)))
    late_us = int(await redis_client.hget(KEY, "s")) + 1
    for name, made_ms, cost in (("old", EPOCH_MS - 1, 5), ("new", EPOCH_MS, 30)):
        await redis_client.eval(SETTLE.body, 1, DETAILS, settled(name, made_ms, cost, settled_us=late_us))
    found = []
    for epoch_ms, spent in ((EPOCH_MS, 105), (EPOCH_MS, 90), (EPOCH_MS + 1, 900), (EPOCH_MS, 125)):
        await redis_client.eval(RECOUNT.body, 1, DETAILS, pack(RecountCall(KEY, epoch_ms, spent)))
        found.append((await counters(redis_client))["used"])

    assert found == [135, 135, 135, 155]
