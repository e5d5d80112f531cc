"""Logins under way at an external OpenID provider, in Redis; each can be completed once."""

from __future__ import annotations

from typing import Final

import msgspec
from redis.asyncio import Redis

from servicekit.once.single_use import SingleUse
from services.auth.accounts.cache.sessions import digest_of
from services.auth.accounts.domain.external_identity import PendingLogin
from services.auth.shared.cache.errors import cache_errors

PENDING: Final = "auth:external:"
TTL_S: Final = 600


class PendingLogins:
    """Pending logins by the SHA-256 of their state."""

    def __init__(self, client: Redis) -> None:
        self._logins = SingleUse(client)

    async def put(self, state: str, pending: PendingLogin) -> None:
        """Store one for ten minutes.

        Raises:
            Unavailable: Redis is gone.
        """
        with cache_errors():
            await self._logins.put(PENDING + digest_of(state), msgspec.json.encode(pending).decode(), ttl_s=TTL_S)

    async def take(self, state: str) -> PendingLogin | None:
        """Return it and forget it.

        Raises:
            Unavailable: Redis is gone.
        """
        with cache_errors():
            stored = await self._logins.take(PENDING + digest_of(state))
        return None if stored is None else msgspec.json.decode(stored, type=PendingLogin)
