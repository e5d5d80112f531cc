"""How many requests of OAuth endpoints and pages an address may make a minute; apart from the rules against guessing.

A bucket for each address in Redis, for all gateways together; without Redis each gateway has its own and allows half.
"""

from __future__ import annotations

import math
from typing import Final

from redis.asyncio import Redis
from starlette.types import Scope

from servicekit.clock import Clock
from servicekit.fairness.hosts import HOST_BITS, Address, host_of
from services.gateway.admission.redis.shared_buckets import SharedBuckets
from services.gateway.clients.oauth_views import OAuthRefused, Origin
from services.gateway.edge.origin import origin_of
from services.gateway.identity import metrics
from services.gateway.identity.authentication import client_address
from services.gateway.settings import Network

WINDOW_S: Final = 60
PREFIX: Final = "razvilka:gateway:oauth:"


class OAuthLimit:
    """A bucket for each address: a minute's worth at once, then as it refills."""

    def __init__(self, redis: Redis, clock: Clock, *, per_minute: int, trusted: tuple[Network, ...]) -> None:
        self._buckets = SharedBuckets(redis, clock, prefix=PREFIX)
        self._per_minute = per_minute
        self._trusted = trusted

    def origin(self, scope: Scope) -> Origin:
        """Return where a request comes from; its address is "" when nobody can say."""
        address = client_address(scope, self._trusted)
        return origin_of(scope, "" if address is None else str(address))

    async def count(self, scope: Scope) -> None:
        """Take a request from the bucket of its address.

        Raises:
            OAuthRefused: the address made too many; it says when to come again.
        """
        if not self._per_minute:
            return
        subject = _subject(client_address(scope, self._trusted))
        taken = await self._buckets.take(subject, limit=self._per_minute, window_s=WINDOW_S)
        if taken.wait_s > 0:
            metrics.OAUTH_LIMITED.labels(taken.limiter).inc()
            wait_s = max(1, math.ceil(taken.wait_s))
            raise OAuthRefused(
                "temporarily_unavailable", "Too many requests from this address.", 429, retry_after_s=wait_s
            )


def _subject(address: Address | None) -> str:
    if address is None:
        return "unknown"
    return host_of(address).removesuffix(f"/{HOST_BITS}")
