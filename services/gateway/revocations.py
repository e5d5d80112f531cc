"""Listens for revoked keys, so that a key ends everywhere within a second of its revocation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from servicekit.clock import Clock
from services.gateway import metrics
from services.gateway.key_cache import KeyCache

log = structlog.get_logger()

CHANNEL: Final = "razvilka:auth:revoked"
HISTORY: Final = "razvilka:auth:revocations"
# A listener that hears nothing for this long asks the connection whether it still lives.
POLL_S: Final = 1.0
RECONNECT_S: Final = 0.5


class Revocation(msgspec.Struct, frozen=True):
    """What ended."""

    kind: str
    id: str


_DECODER: Final = msgspec.json.Decoder(Revocation)


class RevocationListener:
    """Drops what ended from the key cache. Redis lost: the cache's own five seconds are the bound."""

    def __init__(self, redis: Redis, cache: KeyCache, clock: Clock) -> None:
        self._redis = redis
        self._cache = cache
        self._clock = clock

    async def run(self) -> None:
        """Listen for ever; after every reconnection read what was missed."""
        while True:
            try:
                await self._listen()
            except (RedisError, OSError, TimeoutError) as exc:
                log.warning("revocations.disconnected", error=type(exc).__name__)
            metrics.LISTENING.set(0)
            await self._clock.sleep(RECONNECT_S)

    async def _listen(self) -> None:
        async with self._redis.pubsub(ignore_subscribe_messages=False) as channel:
            await channel.subscribe(CHANNEL)
            while True:
                message = await channel.get_message(timeout=POLL_S)
                if message is None:
                    await channel.ping()
                elif message["type"] == "subscribe":
                    # Only now: whatever is published from here on is heard, whatever came before is in the set.
                    self._apply(await self._redis.zrange(HISTORY, 0, -1), "history")
                    metrics.LISTENING.set(1)
                elif message["type"] == "message":
                    self._apply([message["data"]], "push")

    def _apply(self, payloads: Iterable[Any], source: str) -> None:
        for payload in payloads:
            try:
                revocation = _DECODER.decode(payload)
            except msgspec.DecodeError:
                log.warning("revocations.unreadable", source=source)
                continue
            metrics.REVOCATIONS.labels(source).inc()
            if revocation.kind == "key":
                self._cache.revoke_key(revocation.id)
            elif revocation.kind == "user":
                self._cache.forget_user(revocation.id)
