"""The primary of Redis dies, Sentinel names another one, and admission goes on there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError
from redis.exceptions import RedisError

from servicekit.clock import SystemClock
from servicekit.redis import open_redis
from servicekit.settings import RedisSettings
from servicekit.testing.relay import Relay
from services.gateway.admission.codec import admit_payload
from services.gateway.admission.degraded.breaker import Breaker
from services.gateway.admission.degraded.redis_time import RedisTime
from services.gateway.admission.dimensions import Limits
from services.gateway.admission.keys import details_key
from services.gateway.admission.redis.running import RedisLost
from services.gateway.admission.redis.script_runner import NOTHING_TO_RENEW, PROBE_KEY, ScriptRunner
from services.gateway.admission.redis.scripts import ADMIT, RENEW
from services.gateway.admission.wire import Mode
from services.gateway.tests.admission_kit import USER, request
from tools.servers.ports import LOOPBACK
from tools.servers.redis_node import Node
from tools.servers.redis_sentinel import NAME, Watched, running_watched
from tools.testing.redis_clients import PATIENT_MS


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    """Return three servers that know each other."""
    with ExitStack() as opened:
        yield await asyncio.to_thread(opened.enter_context, running_watched(tmp_path))


def settings_of(watched: Watched) -> RedisSettings:
    """How a gateway finds the primary: the host in the URL is nobody's."""
    url = SecretStr("redis://nowhere.invalid:1/0")
    sentinels = f"{LOOPBACK}:1, {LOOPBACK}:{watched.sentinel}"
    return RedisSettings(url=url, sentinels=sentinels, primary=NAME, timeout_ms=PATIENT_MS)


async def test_admission_goes_on_at_the_new_primary(watched: Watched) -> None:
    """What was written before is there; scripts and single commands find their way without a restart."""
    clock = SystemClock()
    async with open_redis(settings_of(watched)) as client, asyncio.TaskGroup() as tasks:
        runner = ScriptRunner(client.connection_pool.make_connection, Breaker(clock), RedisTime(clock), timeout_s=1.0)
        serving = tasks.create_task(runner.serve())
        await client.set("kept", "1")
        async with asyncio.timeout(60):
            while not await scripts_run(runner):
                await asyncio.sleep(0.05)
            while not await client.wait(1, 500):
                pass

        watched.nodes[0].kill()
        async with asyncio.timeout(60):
            while (await client_info(client)).get("role") != "master":
                await asyncio.sleep(0.05)
            while not await scripts_run(runner):
                await asyncio.sleep(0.05)

        assert await client.get("kept") == b"1"
        assert (await client.info("server"))["tcp_port"] == watched.nodes[1].port
        serving.cancel()


async def test_scripts_leave_a_primary_that_is_none_any_more_though_it_keeps_its_connections(tmp_path: Path) -> None:
    """One address over a failover, as of a managed Redis: the new one is asked at once, by the same runner."""
    clock = SystemClock()
    with ExitStack() as opened:
        before, now = Node(tmp_path), Node(tmp_path)
        for node in (before, now):
            opened.callback(node.kill)
            await asyncio.to_thread(node.ready)
        relay = Relay(LOOPBACK, before.port)
        url = SecretStr(f"redis://{LOOPBACK}:{await relay.open()}/0")
        async with open_redis(RedisSettings(url=url)) as client, asyncio.TaskGroup() as tasks:
            new_connection = client.connection_pool.make_connection
            runner = ScriptRunner(new_connection, Breaker(clock), RedisTime(clock), timeout_s=60.0)
            serving = tasks.create_task(runner.serve())
            assert await admits(runner) is not None
            relay.lead_to(LOOPBACK, now.port)
            await asyncio.to_thread(before.ask, "REPLICAOF", LOOPBACK, now.port)

            assert await admits(runner) is not None
            serving.cancel()
        relay.shut()


async def admits(runner: ScriptRunner) -> object:
    """Have a script run that writes."""
    payload = admit_payload(request(user=Limits(requests_per_minute=10)), mode=Mode.DECIDE, lease_us=60_000_000)
    return await runner.run(ADMIT, details_key(USER), payload)


async def client_info(client) -> dict[str, str]:
    """Return what the server that the client finds says of its role; nothing while there is none."""
    try:
        found: dict[str, str] = await client.info("replication")
    except (RedisError, OSError):
        return {}
    return found


async def scripts_run(runner: ScriptRunner) -> bool:
    """Tell whether a script is answered now."""
    try:
        await runner.run(RENEW, PROBE_KEY, NOTHING_TO_RENEW)
    except RedisLost:
        return False
    return True


@pytest.mark.parametrize("given", ["sentinel", "sentinel:", "sentinel:x", ":26379", "a:26379,b", "a:70000"])
def test_an_address_that_is_none_is_named(given):
    """At the start, not at the first failover."""
    with pytest.raises(ValidationError, match="is no host:port"):
        RedisSettings(url=SecretStr("redis://a:1/0"), sentinels=given)
