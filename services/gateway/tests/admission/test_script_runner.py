"""Scripts over one connection: whose answer is whose, and what callers hear when there is none."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from structlog.testing import capture_logs

from servicekit.lifecycle import background
from servicekit.testing import FakeClock
from services.gateway.admission.degraded.breaker import Breaker
from services.gateway.admission.degraded.redis_time import RedisTime
from services.gateway.admission.redis.running import RedisLost
from services.gateway.admission.redis.script_runner import MAX_BATCH, ScriptRunner
from services.gateway.admission.redis.scripts import Script


def script(text: str) -> Script:
    """Return a script of one line."""
    return Script("test", text.encode(), hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest().encode())


KEY_AND_PAYLOAD = script("return {KEYS[1], ARGV[1]}")
NO = script("return redis.error_reply('ERR no')")


@asynccontextmanager
async def runner_on(
    url: str, *, breaker: Breaker | None = None, timeout_s: float = 10.0
) -> AsyncIterator[ScriptRunner]:
    """Yield a runner that serves."""
    async with redis.asyncio.from_url(url, retry=Retry(NoBackoff(), 0)) as client, background() as owner:
        runner = ScriptRunner(
            client.connection_pool.make_connection,
            breaker or Breaker(FakeClock()),
            RedisTime(FakeClock()),
            timeout_s=timeout_s,
        )
        owner.start(runner.serve(), name="runner")
        yield runner


@asynccontextmanager
async def silent_server() -> AsyncIterator[str]:
    """Yield the URL of a server that takes everything and never answers."""
    writers: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: writers.append(writer), "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    finally:
        for writer in writers:
            writer.close()
        server.close()


async def error_of(runner: ScriptRunner, asked: Script = KEY_AND_PAYLOAD) -> str:
    """Return why there is no answer."""
    with pytest.raises(RedisLost) as lost:
        await runner.run(asked, "key", b"")
    return str(lost.value)


async def test_each_of_many_callers_gets_the_answer_to_its_own_question(redis_url: str) -> None:
    """More than one batch of them, with names and payloads of any bytes; the second time Redis knows the script."""
    asked = [(f"ключ {number}", b"\r\n\xff" * number) for number in range(2 * MAX_BATCH + 10)]
    async with runner_on(redis_url) as runner:
        for _ in range(2):
            answers = await asyncio.gather(*(runner.run(KEY_AND_PAYLOAD, *each) for each in asked))

            assert answers == [[key.encode(), payload] for key, payload in asked]


async def test_a_script_that_fails_fails_for_its_caller_alone(redis_url: str) -> None:
    """The others of its batch have their answers."""
    async with runner_on(redis_url) as runner:
        asked = [KEY_AND_PAYLOAD, NO, KEY_AND_PAYLOAD]
        found = await asyncio.gather(*(runner.run(each, "key", b"x") for each in asked), return_exceptions=True)

    assert found[0] == found[2] == [b"key", b"x"]
    assert isinstance(found[1], RedisLost)
    assert str(found[1]) == "no"


async def test_failures_open_the_circuit_and_are_told_once(redis_url: str) -> None:
    """From then on nobody asks; an operator reads what it was."""
    breaker = Breaker(FakeClock(), max_failures=2)
    with capture_logs() as logs:
        async with runner_on(redis_url, breaker=breaker) as runner:
            errors = [await error_of(runner, NO) for _ in range(3)]

    assert errors == ["no", "no", "the circuit is open"]
    assert logs == [
        {"event": "admission.redis_lost", "log_level": "warning", "cause": "ResponseError", "error": "no"},
    ]


async def test_an_answer_closes_the_circuit_again(redis_url: str) -> None:
    """Two failures with an answer between them are not two in a row."""
    breaker = Breaker(FakeClock(), max_failures=2)
    async with runner_on(redis_url, breaker=breaker) as runner:
        for _ in range(3):
            await error_of(runner, NO)
            await runner.run(KEY_AND_PAYLOAD, "key", b"")

    assert breaker.is_closed


async def test_a_redis_that_is_not_there_is_lost(free_port: int) -> None:
    """Its caller hears what kind of error it was."""
    breaker = Breaker(FakeClock(), max_failures=1)
    async with runner_on(f"redis://127.0.0.1:{free_port}/0", breaker=breaker) as runner:
        errors = [await error_of(runner), await error_of(runner)]

    assert errors == ["ConnectionError", "the circuit is open"]


async def test_nobody_waits_for_two_timeouts_of_a_silent_redis() -> None:
    """Who asked while another was waiting is told together with that one, and it was one failure."""
    breaker = Breaker(FakeClock(), max_failures=2)
    async with silent_server() as url, runner_on(url, breaker=breaker, timeout_s=0.1) as runner:
        first = asyncio.create_task(error_of(runner))
        await asyncio.sleep(0.02)
        second = asyncio.create_task(error_of(runner))

        assert [await first, await second] == ["TimeoutError", "TimeoutError"]
        assert breaker.is_closed
        assert await error_of(runner) == "TimeoutError"
    assert not breaker.is_closed


async def test_who_waits_when_a_gateway_stops_is_told() -> None:
    """Those that were sent and those that were not."""
    async with silent_server() as url, runner_on(url) as runner:
        sent = asyncio.create_task(error_of(runner))
        await asyncio.sleep(0.02)
        queued = asyncio.create_task(error_of(runner))
        await asyncio.sleep(0)

    assert [await sent, await queued] == ["stopping", "stopping"]


async def test_a_probe_finds_out_whether_redis_is_back(redis_url: str) -> None:
    """Nobody else need ask; while Redis is well it asks nothing."""
    clock = FakeClock()
    breaker = Breaker(clock, max_failures=1)
    async with runner_on(redis_url, breaker=breaker) as runner:
        await error_of(runner, NO)
        await runner.probe()
        too_early = breaker.is_closed
        clock.advance(5)
        await runner.probe()

    assert (too_early, breaker.is_closed) == (False, True)
    async with asyncio.timeout(5):
        await runner.probe()
