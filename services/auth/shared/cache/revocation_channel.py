"""What auth tells the gateways through Redis: a channel for those that listen, a sorted set for those that reconnect.

Every entry is `{"kind":"key","id":"...","at":1795435200000}`, `at` in milliseconds since 1970. The set holds the last
hour by that time. Neither is the truth: that is table `revocations`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from redis.asyncio import Redis

from servicekit.rediscluster.client import run_id
from services.auth.shared.cache.errors import cache_errors
from services.auth.shared.domain.revocation import Revocation

REVOKED_CHANNEL: Final = "razvilka:auth:revoked"
REVOCATIONS_KEY: Final = "razvilka:auth:revocations"
# Which run of which Redis server holds the set; see `holds_history`.
HISTORY_KEY: Final = "razvilka:auth:revocations:run"


class RevocationChannel:
    """Tells the gateways which credentials ended."""

    def __init__(self, client: Redis, *, keep: timedelta) -> None:
        self._client = client
        self._keep = keep

    async def publish(self, revocations: Sequence[Revocation], now: datetime) -> None:
        """Push the revocations and keep them for those who are not listening now.

        Raises:
            Unavailable: Redis did not take them; it may have taken some.
        """
        entries = {_encode(revocation): _milliseconds(revocation.at) for revocation in revocations}
        keeping = self._client.pipeline(transaction=False)
        # Kept first: a gateway that begins to listen between the two finds the entry in the set.
        keeping.zadd(REVOCATIONS_KEY, entries)
        keeping.zremrangebyscore(REVOCATIONS_KEY, "-inf", f"({_milliseconds(now - self._keep)}")
        keeping.expire(REVOCATIONS_KEY, self._keep)
        # Not in the same one: a cluster may have the set on one server and the channel on another.
        telling = self._client.pipeline(transaction=False)
        for entry in entries:
            # A cluster's pipelines lack `publish` alone; there the channel counts as a key.
            telling.execute_command("PUBLISH", REVOKED_CHANNEL, entry)
        with cache_errors():
            await keeping.execute()
            await telling.execute()

    async def holds_history(self) -> bool:
        """Tell whether this Redis still has what was published: not when it was emptied, restarted or replaced.

        A restarted Redis may lack its last second (appendfsync everysec), so a new run counts as a loss.
        """
        with cache_errors():
            noted = await self._client.get(HISTORY_KEY)
            return noted is not None and _text(noted) == await run_id(self._client, REVOCATIONS_KEY)

    async def note_history(self) -> None:
        """Note that the set is complete for this run of Redis."""
        with cache_errors():
            await self._client.set(HISTORY_KEY, await run_id(self._client, REVOCATIONS_KEY))


def _encode(revocation: Revocation) -> str:
    entry = {"kind": str(revocation.kind), "id": revocation.subject_id, "at": _milliseconds(revocation.at)}
    return json.dumps(entry, separators=(",", ":"), ensure_ascii=False)


def _milliseconds(timestamp: datetime) -> int:
    return int(timestamp.timestamp() * 1000)


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode()
