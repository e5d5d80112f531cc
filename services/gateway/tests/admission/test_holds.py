"""Holds found by looking through Redis: all of them, those that expired, and what is told when that is not possible."""

from __future__ import annotations

from typing import Any

import pytest
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from structlog.testing import capture_logs

from servicekit.errors import ErrorReason, Unavailable
from services.gateway.admission.keys import details_key
from services.gateway.admission.redis.holds import PAGE, Holds
from services.gateway.metering.hold import Hold
from services.gateway.tests.admission_kit import KEY, USER, admission_on, budget, request
from services.gateway.tests.metering_kit import facts

HOLDS = f"gw:{{{USER}}}:h"


async def test_a_hold_is_found_with_its_owner_its_end_and_its_facts(redis_url: str, redis_client: Any) -> None:
    """Of each user; it is what admission wrote."""
    async with admission_on(redis_url) as admission:
        admitted = await admission.admit(request(budgets=(budget(10_000),)))
        found = [hold async for hold in Holds(redis_client).all()]

    ends = int(await redis_client.zscore(HOLDS, admitted.ticket.request_id))
    assert found == [Hold(USER, admitted.ticket.request_id, ends, facts(key_id=KEY))]


async def test_every_hold_of_a_user_is_found_once(redis_url: str, redis_client: Any) -> None:
    """However many pages they are."""
    async with admission_on(redis_url) as admission:
        first = await admission.admit(request())
    raw = await redis_client.hget(details_key(USER), first.ticket.request_id)
    names = {first.ticket.request_id} | {str(number) for number in range(2 * PAGE)}
    await redis_client.hset(details_key(USER), mapping=dict.fromkeys(names, raw))
    await redis_client.zadd(HOLDS, dict.fromkeys(names, 1))

    found = [hold.request_id async for hold in Holds(redis_client).all()]

    assert (len(found), set(found)) == (len(names), names)


class Counting(redis.asyncio.Redis):
    """A client that knows the longest list that it was answered."""

    longest = 0

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """Ask, and look at the answer."""
        answer = await super().execute_command(*args, **options)
        if isinstance(answer, list):
            self.longest = max(self.longest, len(answer))
        return answer


async def test_many_holds_of_one_user_are_asked_for_a_page_at_a_time(redis_url: str, redis_client: Any) -> None:
    """Redis, and then the gateway, stood still for as long as it took to list all; half of these end together."""
    async with admission_on(redis_url) as admission:
        first = await admission.admit(request())
    raw = await redis_client.hget(details_key(USER), first.ticket.request_id)
    ends = {f"{number}": number // 2 if number < 2 * PAGE else 2 * PAGE for number in range(5 * PAGE)}
    await redis_client.delete(HOLDS, details_key(USER))
    await redis_client.hset(details_key(USER), mapping=dict.fromkeys(ends, raw))
    await redis_client.zadd(HOLDS, ends)

    async with Counting(connection_pool=redis.asyncio.ConnectionPool.from_url(redis_url)) as client:
        found = [hold.request_id async for hold in Holds(client).all()]
        longest = client.longest

    assert sorted(found) == sorted(ends)
    assert longest <= 4 * PAGE


async def test_a_hold_expires_with_its_owner_by_the_clock_of_redis(redis_url: str, redis_client: Any) -> None:
    """So long ago, not less."""
    async with admission_on(redis_url) as admission:
        ids = [(await admission.admit(request())).ticket.request_id for _ in range(3)]
    seconds, _ = await redis_client.time()
    await redis_client.zadd(HOLDS, {id: (seconds - age) * 1e6 for id, age in zip(ids, (60, 31, 0), strict=True)})

    holds = Holds(redis_client)
    found = {age: [hold.request_id async for hold in holds.expired(older_than_s=age)] for age in (0.5, 30, 59.5, 90)}

    assert found == {0.5: ids[:2], 30: ids[:2], 59.5: ids[:1], 90: []}


async def test_what_is_no_hold_any_more_or_cannot_be_read_hides_no_other(redis_url: str, redis_client: Any) -> None:
    """One was settled between two questions; of the other an operator reads its id."""
    async with admission_on(redis_url) as admission:
        good = (await admission.admit(request())).ticket.request_id
        await redis_client.hset(details_key(USER), "damaged", b"\xc1")
        await redis_client.zadd(HOLDS, {"damaged": 1, "settled": 2})
        await redis_client.set("gw:{another}:h", "no set")
        with capture_logs() as logs:
            found = [hold.request_id async for hold in Holds(redis_client).all()]

    assert found == [good]
    told = [(entry["event"], entry["log_level"], entry["request_id"]) for entry in logs]
    assert told == [("admission.hold_unreadable", "error", "damaged")]
    assert logs[0]["error"]


async def test_a_lost_redis_is_an_outage(free_port: int) -> None:
    """For both questions."""
    async with redis.asyncio.Redis(port=free_port, retry=Retry(NoBackoff(), 0)) as lost:
        for question in (Holds(lost).all(), Holds(lost).expired(older_than_s=1)):
            with pytest.raises(Unavailable) as refused:
                await anext(question)
            assert refused.value.reason is ErrorReason.CACHE_ERROR
