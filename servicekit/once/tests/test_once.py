"""What was asked of Redis is done once, though its answer got lost and the client asks again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from servicekit.once.repeating import is_repeatable, may_repeat
from servicekit.once.single_use import Claims, SingleUse
from servicekit.once.tests.lossy_redis import LossyRedis, lossy_redis


@pytest.fixture
async def lossy(redis_url: str) -> AsyncIterator[LossyRedis]:
    """A client whose answers may get lost."""
    async with lossy_redis(redis_url) as made:
        yield made


async def test_a_value_is_taken_though_the_answer_was_lost_and_by_nobody_else(lossy: LossyRedis) -> None:
    """The client asks again, and gets what it took; whoever comes later gets nothing, and sees nothing."""
    values = SingleUse(lossy.client)
    await values.put("value", "text", ttl_s=60)
    assert await values.take("none") is None
    assert await values.look("value") == b"text"
    await lossy.lose_next_answer()

    assert await values.take("value") == b"text"
    assert await values.take("value") is None
    assert await values.look("value") is None


async def test_a_name_is_claimed_though_the_answer_was_lost_and_by_nobody_else(lossy: LossyRedis) -> None:
    """Whoever has it is told so twice."""
    claims = Claims(lossy.client)
    assert await claims.claim("other", ttl_s=60)
    await lossy.lose_next_answer()

    assert await claims.claim("name", ttl_s=60)
    assert not await claims.claim("name", ttl_s=60)
    assert await claims.claim("named", ttl_s=60, owner="me")
    assert await lossy.client.get("named") == b"me"
    assert 0 < await lossy.client.pttl("named") <= 60_000


@pytest.mark.parametrize("transaction", [True, False])
async def test_what_counts_is_not_sent_again(lossy: LossyRedis, transaction: bool) -> None:
    """It fails, and was counted once: alone, in a pipeline, and by a script."""
    count = lossy.client.register_script("return redis.call('INCR', KEYS[1])")
    await count(keys=["other"])
    await lossy.lose_next_answer()
    with pytest.raises(RedisConnectionError):
        await lossy.client.incr("alone")
    await lossy.lose_next_answer()
    with pytest.raises(RedisConnectionError):
        await count(keys=["scripted"])
    pipe = lossy.client.pipeline(transaction=transaction)
    pipe.incr("together")
    pipe.expire("together", 60)
    await lossy.lose_next_answer()
    with pytest.raises(RedisConnectionError):
        await pipe.execute()

    assert await lossy.client.mget("alone", "scripted", "together") == [b"1", b"1", b"1"]


async def test_what_may_be_done_twice_is_sent_again(lossy: LossyRedis) -> None:
    """What is read, what is set, and what its sender vouches for."""
    await lossy.lose_next_answer()
    await lossy.client.set("key", "value", ex=60)
    await lossy.lose_next_answer()
    assert await lossy.client.get("key") == b"value"
    pipe = lossy.client.pipeline(transaction=False)
    pipe.hset("hash", "field", "1")
    pipe.hgetall("hash")
    await lossy.lose_next_answer()
    assert (await pipe.execute())[-1] == {b"field": b"1"}
    await lossy.lose_next_answer()
    with may_repeat():
        assert await lossy.client.incr("counted") == 2


@pytest.mark.parametrize(
    ("command", "is_so"),
    [
        (("GET", "key"), True),
        (("SET", "key", "NX is no condition", "EX", 60), True),
        (("SET", "key", b"value", "PX", 60, "NX"), False),
        (("SET", "key", "value", "GET"), False),
        (("ZADD", "key", 1.0, "member"), True),
        (("ZADD", "key", "NX", 1.0, "member"), False),
        (("GETDEL", "key"), False),
        (("DEL", "key"), False),
        (("INCRBY", "key", 1), False),
        (("EVALSHA", "sha", 0), False),
    ],
)
def test_a_command_may_be_sent_twice_when_twice_is_as_good_as_once(command: tuple[Any, ...], is_so: bool) -> None:
    """By its name, and by the conditions that it has."""
    assert is_repeatable(command) is is_so
