"""The router's keys in Redis. It works without Redis, too: lookups then return None."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final

from redis.asyncio import Redis

from servicekit.once.repeating import may_repeat
from servicekit.once.single_use import Claims
from servicekit.redis import LOST
from services.router import metrics

_UNLOCK: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


def _lost() -> None:
    metrics.STORE_FAILURES.labels("redis").inc()


class RedisTokenShare:
    """Access tokens of providers, encrypted by the replica that stores them; they expire before the token does."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._claims = Claims(client)

    async def get(self, key: str) -> bytes | None:
        """Return what a peer left; None when there is nothing or Redis is lost."""
        try:
            found: Any = await self._client.get(f"router:token:{key}")
        except LOST:
            _lost()
            return None
        return found if isinstance(found, bytes) else None

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """Leave a value for peers."""
        try:
            await self._client.set(f"router:token:{key}", value, px=max(1, int(ttl_s * 1000)))
        except LOST:
            _lost()

    async def lock(self, key: str, owner: str, ttl_s: float) -> bool | None:
        """Try to become the one who asks the provider; None: Redis is lost."""
        try:
            return await self._claims.claim(f"router:token-lock:{key}", owner=owner, ttl_s=ttl_s)
        except LOST:
            _lost()
            return None

    async def unlock(self, key: str, owner: str) -> None:
        """Give the lock back when it is still ours."""
        try:
            with may_repeat():
                await self._client.eval(_UNLOCK, 1, f"router:token-lock:{key}", owner)
        except LOST:
            _lost()


class ChannelCache:
    """The model that a version channel points at, and since when."""

    KEY: Final = "router:channels"

    def __init__(self, client: Redis) -> None:
        self._client = client

    async def load(self) -> dict[str, tuple[str, datetime]] | None:
        """Return model and date by channel; None when Redis is lost."""
        try:
            found: Any = await self._client.hgetall(self.KEY)
        except LOST:
            _lost()
            return None
        channels = {}
        for name, value in found.items():
            entry = json.loads(value)
            channels[name.decode()] = (entry["model"], datetime.fromisoformat(entry["resolved_at"]))
        return channels

    async def save(self, channel: str, model: str, resolved_at: datetime) -> None:
        """Note that a channel stands for another model."""
        value = json.dumps({"model": model, "resolved_at": resolved_at.isoformat()})
        try:
            await self._client.hset(self.KEY, channel, value)
        except LOST:
            _lost()
