"""A settlement is done before its answer leaves, so that nothing asked after the answer meets the request."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from services.gateway.admission.dimensions import Limits
from services.gateway.tests.admission.held_redis import QUICK, by_redis, gateway
from services.gateway.tests.admission_kit import PATIENT, admission_on, leftovers, request
from tools.testing.redis_clients import client_of

ONE = Limits(concurrent_requests=1)


async def test_an_answer_waits_until_redis_has_done_its_settlement(held_redis):
    """On its way it could be overtaken: Redis reads connections that are ready in any order."""
    async with gateway(held_redis.url, options=replace(QUICK, timeout_s=60.0)) as admission:
        admitted = await by_redis(admission, user=ONE)
        held_redis.freeze()
        settling = asyncio.create_task(admission.settle(admitted.ticket, 1, 0))
        await asyncio.wait((settling,), timeout=0.2)
        done_meanwhile = settling.done()
        held_redis.thaw()
        await settling

        assert not done_meanwhile
        assert not (await admission.admit(request(user=ONE))).degraded


async def test_what_any_gateway_asks_after_an_answer_comes_after_its_settlement(redis_url: str) -> None:
    """Who may have one request at once and asks one after another is never refused, whichever gateway it meets."""
    async with admission_on(redis_url) as one, admission_on(redis_url, boot_id="other") as other:
        for _ in range(100):
            for here, there in ((one, other), (other, one)):
                admitted = await here.admit(request(user=ONE))
                await here.settle(admitted.ticket, 1, 0)
                await there.cancel((await there.admit(request(user=ONE))).ticket)


async def test_a_gateway_that_stops_hears_whether_its_settlements_were_done(redis_url: str) -> None:
    """Redis had forgotten the script, so it is sent once more."""
    async with client_of(redis_url) as client:
        async with admission_on(redis_url, options=replace(PATIENT, timeout_s=60.0)) as admission:
            admitted = await admission.admit(request(user=ONE))
            await client.script_flush()
            await admission.settle(admitted.ticket, 1, 0)

        assert await leftovers(client) == []
