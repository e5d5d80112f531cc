"""The primary of Redis dies, Sentinel names another one, and admission goes on there."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError
from redis.exceptions import RedisError

from servicekit.clock import SystemClock
from servicekit.redis import open_redis
from servicekit.settings import RedisSettings
from services.gateway.admission.degraded.breaker import Breaker
from services.gateway.admission.degraded.redis_time import RedisTime
from services.gateway.admission.redis.running import RedisLost
from services.gateway.admission.redis.script_runner import NOTHING_TO_RENEW, PROBE_KEY, ScriptRunner
from services.gateway.admission.redis.scripts import RENEW
from tools.servers import binaries
from tools.servers.ports import LOOPBACK, free_port
from tools.servers.redis import RedisServer, wait_until_ready

WATCHING = """\
port {port}
bind 127.0.0.1
dir {folder}
sentinel monitor books 127.0.0.1 {primary} 1
sentinel down-after-milliseconds books 300
sentinel failover-timeout books 2000
"""


class Watched:
    """A primary, a replica and the sentinel that watches both."""

    def __init__(self, folder: Path, opened: ExitStack) -> None:
        self._folder, self._opened = folder, opened
        self.binary = binaries.redis_binary()
        self.primary, self.replica, self.sentinel = free_port(), free_port(), free_port()
        self.first = self._server(self.primary)
        self._server(self.replica, "--replicaof", LOOPBACK, str(self.primary), "--repl-diskless-sync-delay", "0")
        configuration = folder / "sentinel.conf"
        configuration.write_text(WATCHING.format(port=self.sentinel, folder=folder, primary=self.primary))
        self._run(str(self.binary), str(configuration), "--sentinel")
        wait_until_ready(f"redis://{LOOPBACK}:{self.sentinel}/0")

    def _server(self, port: int, *more: str) -> subprocess.Popen[bytes]:
        folder = self._folder / str(port)
        folder.mkdir()
        server = RedisServer(self.binary, folder, port)
        process = self._run(*server.command(durable=False), "--repl-diskless-sync-delay", "0", *more)
        wait_until_ready(server.url)
        return process

    def _run(self, *command: str) -> subprocess.Popen[bytes]:
        log = self._opened.enter_context((self._folder / "log").open("ab"))
        process = subprocess.Popen(command, stdout=log, stderr=log)
        self._opened.callback(process.wait)
        self._opened.callback(process.kill)
        return process

    @property
    def settings(self) -> RedisSettings:
        """How a gateway finds the primary: the host in the URL is nobody's."""
        url = SecretStr("redis://nowhere.invalid:1/0")
        return RedisSettings(url=url, sentinels=f"{LOOPBACK}:1, {LOOPBACK}:{self.sentinel}", primary="books")


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    """Return three servers that know each other."""
    with ExitStack() as opened:
        found = await asyncio.to_thread(Watched, tmp_path, opened)
        async with open_redis(found.settings) as client:
            async with asyncio.timeout(30):
                while (await client.info("replication"))["connected_slaves"] == 0:
                    await asyncio.sleep(0.05)
        # The sentinel has to have heard of the replica, too: it asks the primary.
        async with open_redis(RedisSettings(url=SecretStr(f"redis://{LOOPBACK}:{found.sentinel}/0"))) as sentinel:
            async with asyncio.timeout(30):
                while not await sentinel.execute_command("SENTINEL", "REPLICAS", "books"):
                    await asyncio.sleep(0.05)
        yield found


async def test_admission_goes_on_at_the_new_primary(watched: Watched) -> None:
    """What was written before is there; scripts and single commands find their way without a restart."""
    clock = SystemClock()
    async with open_redis(watched.settings) as client, asyncio.TaskGroup() as tasks:
        runner = ScriptRunner(client.connection_pool.make_connection, Breaker(clock), RedisTime(clock), timeout_s=1.0)
        serving = tasks.create_task(runner.serve())
        await client.set("kept", "1")
        await client.wait(1, 5_000)
        await runner.run(RENEW, PROBE_KEY, NOTHING_TO_RENEW)

        watched.first.kill()
        async with asyncio.timeout(60):
            while (await client_info(client)).get("role") != "master":
                await asyncio.sleep(0.05)
            while not await scripts_run(runner):
                await asyncio.sleep(0.05)

        assert await client.get("kept") == b"1"
        assert (await client.info("server"))["tcp_port"] == watched.replica
        serving.cancel()


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
