"""Replay protection of DPoP proofs, in Redis: each may be used once (RFC 9449 11.1)."""

from __future__ import annotations

from typing import Final

from redis.asyncio import Redis

from servicekit.once.single_use import Claims
from servicekit.trust.dpop import REPLAY_WINDOW_S, Proof
from services.auth.shared.cache.errors import cache_errors

USED: Final = "razvilka:auth:dpop:"


class UsedProofs:
    """Used proofs, until they expire."""

    def __init__(self, client: Redis) -> None:
        self._claims = Claims(client)

    async def use(self, proof: Proof) -> bool:
        """Use a proof; tell whether it is the first time.

        Raises:
            Unavailable: Redis is down. What cannot be told apart from a replay proves nothing.
        """
        with cache_errors():
            return await self._claims.claim(USED + proof.replay_key, ttl_s=REPLAY_WINDOW_S)
