"""How a gateway listens for what ended: from the first moment, after a lost connection, and whatever else is said."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta

from prometheus_client import REGISTRY
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from structlog.testing import capture_logs

from servicekit.testing.fake_clock import MIDDAY, FakeClock
from services.gateway.clients.oauth_views import Revocation
from services.gateway.identity import metrics, revocations
from services.gateway.identity.key_cache import KeyCache
from services.gateway.identity.revocations import RevocationEffects, RevocationListener, RevocationPoller
from services.gateway.identity.revoked import Revoked
from services.gateway.identity.token_claims import AccessToken

TOKEN = AccessToken("jti-1", "grant-1", "session-1", "client-1", "user-1", frozenset(), 0.0)
NOW_MS = int(MIDDAY.timestamp() * 1000)
LISTENING = "revocations_listening"


class Gateway:
    """What a gateway knows of ended tokens, and what tells it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.revoked = Revoked(self.clock)
        keys, grants = (KeyCache(self.clock, fresh_s=5, stale_s=300) for _ in range(2))
        self.effects = RevocationEffects(keys, grants, self.revoked, self.clock)
        metrics.LISTENING.set(0)

    @asynccontextmanager
    async def listening(self, client: Redis) -> AsyncIterator[None]:
        """Listen over this client meanwhile."""
        task = asyncio.create_task(RevocationListener(client, self.effects, self.clock).run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def refuses(self, jti: str) -> bool:
        """Tell whether the token of this name has ended here."""
        return self.revoked.covers(replace(TOKEN, jti=jti))


def end_of(jti: str) -> str:
    """Return the entry that ends this token."""
    return json.dumps({"kind": "token", "id": jti, "at": NOW_MS})


def metric(name: str, **labels: str) -> float:
    """Return a metric of revocations."""
    return REGISTRY.get_sample_value(f"razvilka_gateway_{name}", labels) or 0.0


async def until(fact: Callable[[], object]) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(20):
        while not fact():
            await asyncio.sleep(0.005)


async def until_somebody_listens(client: Redis) -> None:
    """Wait until Redis has a subscriber."""
    async with asyncio.timeout(20):
        while not (await client.pubsub_numsub(revocations.CHANNEL))[0][1]:
            await asyncio.sleep(0.005)


async def test_what_ended_before_is_read_before_a_gateway_says_that_it_listens(redis_client: Redis) -> None:
    """It is history, however old its entry is."""
    gateway = Gateway()
    await redis_client.zadd(revocations.HISTORY, {end_of("oldest"): 1, end_of("newest"): NOW_MS})
    before = metric("revocations_total", source="history")

    async with gateway.listening(redis_client):
        await until(lambda: metric(LISTENING) == 1)

        assert gateway.refuses("oldest")
        assert gateway.refuses("newest")
    assert metric("revocations_total", source="history") == before + 2


async def test_a_push_takes_effect_and_one_that_cannot_be_read_hides_no_other(redis_client: Redis) -> None:
    """Each push is one entry."""
    gateway = Gateway()
    before = metric("revocations_total", source="push")

    async with gateway.listening(redis_client):
        await until_somebody_listens(redis_client)
        for payload in ("{", end_of("jti-1")):
            await redis_client.publish(revocations.CHANNEL, payload)
        await until(lambda: gateway.refuses("jti-1"))

    assert not gateway.refuses("jti-2")
    assert metric("revocations_total", source="push") == before + 1


async def test_a_quiet_second_is_no_lost_connection(redis_client: Redis) -> None:
    """The connection is asked whether it lives; what is pushed after that is heard."""
    gateway = Gateway()

    async with gateway.listening(redis_client):
        await until(lambda: metric(LISTENING) == 1)
        await asyncio.sleep(revocations.POLL_S * 1.2)
        await redis_client.publish(revocations.CHANNEL, end_of("jti-1"))
        await until(lambda: gateway.refuses("jti-1"))

    assert gateway.clock.slept_s == []


async def test_what_ended_while_nobody_listened_is_read_with_the_next_connection(redis_client: Redis) -> None:
    """The push is lost with the connection; the set has it."""
    gateway = Gateway()

    async with gateway.listening(redis_client):
        await until(lambda: metric(LISTENING) == 1)
        await redis_client.zadd(revocations.HISTORY, {end_of("missed"): NOW_MS})
        await redis_client.client_kill_filter(_type="pubsub")
        async with asyncio.timeout(20):
            while not gateway.refuses("missed"):
                gateway.clock.advance(revocations.RECONNECT_S)
                await asyncio.sleep(0.005)


async def test_a_lost_redis_is_asked_again_every_half_second(free_port: int) -> None:
    """An operator reads which error it was, and the metric says that nobody listens."""
    gateway = Gateway()
    metrics.LISTENING.set(1)
    async with Redis(port=free_port, retry=Retry(NoBackoff(), 0)) as lost:
        with capture_logs() as logs:
            async with gateway.listening(lost):
                await until(lambda: gateway.clock.sleepers)
                is_listening = metric(LISTENING)
                gateway.clock.advance(0.5)
                await until(lambda: len(gateway.clock.slept_s) == 2)

    assert is_listening == 0
    assert gateway.clock.slept_s == [0.5, 0.5]
    assert logs == [{"event": "revocations.disconnected", "log_level": "warning", "error": "ConnectionError"}] * 2


async def test_auth_is_asked_every_two_seconds(redis_client: Redis) -> None:
    """At once, and again after each pause."""
    gateway = Gateway()
    asked: list[datetime] = []

    async def list_none(since: datetime) -> AsyncIterator[tuple[list[Revocation], datetime]]:
        asked.append(since)
        yield [], gateway.clock.now()

    poller = RevocationPoller(redis_client, list_none, gateway.effects, gateway.clock)
    task = asyncio.create_task(poller.run())
    for number in range(1, 3):
        await until(lambda: gateway.clock.sleepers)
        assert len(asked) == number
        gateway.clock.advance(2.0)
        await asyncio.sleep(0)
    await until(lambda: len(asked) == 3)
    task.cancel()

    assert asked[1:] == [MIDDAY, MIDDAY + timedelta(seconds=2)]
    assert set(gateway.clock.slept_s) == {2.0}
