"""Who has an idempotency key, in Redis: one at a time, and nobody for longer than it lives."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any, Final

import pytest
import redis.asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from servicekit.errors import Unavailable
from servicekit.lifecycle import background
from services.gateway.clients.kept.idempotency import IdempotencyStore, Record, State
from services.gateway.inference.keeping.lease import Lease

RECORD: Final = Record("user-1", "name", "print", "request-0")
BILL: Final = b"bill"
KEY: Final = "gw:{user-1}:idempotency:name"


def owned_by(number: int) -> Record:
    """Return the record as another request wants it."""
    return replace(RECORD, owner=f"request-{number}")


def store_of(client: redis.asyncio.Redis) -> IdempotencyStore:
    """Return a store whose leases do not end while a test runs."""
    return IdempotencyStore(client, lease_s=600, kept_s=3600)


async def expire(client: redis.asyncio.Redis) -> None:
    """End the lease, as if its gateway had said nothing for so long."""
    await client.hset(KEY, "until", "0")


async def test_a_claim_that_is_sent_twice_is_one(redis_client: redis.asyncio.Redis) -> None:
    """The client sends a command again when the connection broke before its answer."""
    store = store_of(redis_client)

    found = [await store.begin(RECORD) for _ in range(2)]

    assert [each.state for each in found] == [State.OURS, State.OURS]


async def test_a_lease_of_a_clock_that_was_ahead_is_cut(redis_client: redis.asyncio.Redis) -> None:
    """Not taken: its owner may be alive. The key of one that died was taken for as long as the clock had been ahead."""
    store = store_of(redis_client)
    await store.begin(RECORD)
    right = int(await redis_client.hget(KEY, "until") or 0)
    await redis_client.hset(KEY, "until", str(right + 86_400_000))

    found = await store.begin(owned_by(1))

    assert found.state is State.RUNNING
    assert right <= int(await redis_client.hget(KEY, "until") or 0) < right + 600_000


async def test_a_lease_that_is_renewed_is_not_taken_over(redis_client: redis.asyncio.Redis) -> None:
    """Its owner's timer moves the end of the lease on, and stops when the answer is there."""
    store = store_of(redis_client)
    await store.begin(RECORD)
    async with background() as tasks:
        lease = Lease(RECORD, store, tasks, lease_s=0.03)
        await expire(redis_client)
        async with asyncio.timeout(20):
            while await redis_client.hget(KEY, "until") == b"0":
                await asyncio.sleep(0.01)
        lease.end()

    assert (await store.begin(owned_by(1))).state is State.RUNNING


async def test_who_was_taken_over_can_do_nothing_any_more(redis_client: redis.asyncio.Redis) -> None:
    """Not renew, not keep, and its release frees nothing of its successor's."""
    store = store_of(redis_client)
    await store.begin(RECORD)
    await expire(redis_client)
    taken = await store.begin(owned_by(1))

    assert (taken.state, taken.owner) == (State.OURS, "request-0")
    assert not await store.renew(RECORD)
    assert not await store.keep(RECORD, b"late", BILL)
    await store.release(RECORD)
    assert (await store.begin(owned_by(2))).state is State.RUNNING
    assert await store.keep(owned_by(1), b"answer", BILL)
    assert (await store.begin(owned_by(2))).answer == b"answer"


async def test_without_redis_every_step_says_so(free_port: int) -> None:
    """None may be taken for done."""
    async with redis.asyncio.Redis(port=free_port, retry=Retry(NoBackoff(), 0)) as lost:
        store = store_of(lost)
        for step in (store.begin(RECORD), store.renew(RECORD), store.keep(RECORD, b"", BILL), store.release(RECORD)):
            with pytest.raises(Unavailable):
                await step


STEPS: Final = st.lists(
    st.tuples(st.sampled_from(["begin", "renew", "keep", "release", "expire"]), st.integers(0, 3)), max_size=30
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=STEPS)
async def test_whatever_happens_one_answer_is_kept_and_never_changes(
    redis_client: redis.asyncio.Redis, steps: list[tuple[str, int]]
) -> None:
    """Four requests with one key, in any order of steps, with leases that end at any moment: one key, one bill."""
    await redis_client.delete(KEY)
    store = store_of(redis_client)
    kept: list[int] = []
    for step, number in steps:
        record = owned_by(number)
        if step == "expire":
            await redis_client.eval(EXPIRE, 1, KEY)
        elif step == "keep":
            if await store.keep(record, str(number).encode(), BILL):
                kept.append(number)
        else:
            found: Any = await getattr(store, step)(record)
            if step == "begin" and kept:
                assert (found.state, found.answer) == (State.KEPT, str(kept[0]).encode())

    assert len(set(kept)) <= 1


# Only a request that is being answered has a lease.
EXPIRE: Final = "if redis.call('HEXISTS', KEYS[1], 'until') == 1 then redis.call('HSET', KEYS[1], 'until', '0') end"
