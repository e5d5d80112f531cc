"""How many requests of OAuth endpoints and pages an address may make a minute; apart from the rules against guessing.

Counted in Redis for all gateways together; without Redis each gateway counts for itself and allows half.
"""

from __future__ import annotations

import math
from ipaddress import IPv6Network
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError
from starlette.types import Scope

from servicekit.clock import Clock
from services.gateway.clients.oauth_views import OAuthRefused
from services.gateway.identity import metrics
from services.gateway.identity.authentication import Address, client_address
from services.gateway.settings import Network

log = structlog.get_logger()

WINDOW_S: Final = 60
PREFIX: Final = "razvilka:gateway:oauth:"
MAX_ADDRESSES: Final = 100_000
# One household or host gets a /64: its addresses are one address here.
IPV6_PREFIX: Final = 64


class OAuthLimit:
    """Counts requests by address, in windows of a minute."""

    def __init__(self, redis: Redis, clock: Clock, *, per_minute: int, trusted: tuple[Network, ...]) -> None:
        self._redis = redis
        self._clock = clock
        self._per_minute = per_minute
        self._trusted = trusted
        self._local: dict[str, int] = {}
        self._local_window = -1

    def address(self, scope: Scope) -> str:
        """Return where a request comes from, "" when nobody can say."""
        address = client_address(scope, self._trusted)
        return "" if address is None else str(address)

    async def count(self, scope: Scope) -> None:
        """Count a request.

        Raises:
            OAuthRefused: the address made too many; it says when to come again.
        """
        if not self._per_minute:
            return
        now_s = self._clock.now().timestamp()
        window = int(now_s // WINDOW_S)
        subject = _subject(client_address(scope, self._trusted))
        count, allowed, limiter = await self._counted(subject, window)
        if count > allowed:
            metrics.OAUTH_LIMITED.labels(limiter).inc()
            wait_s = max(1, math.ceil((window + 1) * WINDOW_S - now_s))
            raise OAuthRefused(
                "temporarily_unavailable", "Too many requests from this address.", 429, retry_after_s=wait_s
            )

    async def _counted(self, subject: str, window: int) -> tuple[int, int, str]:
        try:
            pipe = self._redis.pipeline(transaction=False)
            pipe.incr(f"{PREFIX}{subject}:{window}")
            pipe.expire(f"{PREFIX}{subject}:{window}", 2 * WINDOW_S)
            count, _ = await pipe.execute()
        except (RedisError, OSError, TimeoutError) as exc:
            log.warning("oauth_limit.without_redis", error=type(exc).__name__)
            return self._count_here(subject, window), max(1, self._per_minute // 2), "local"
        return int(count), self._per_minute, "redis"

    def _count_here(self, subject: str, window: int) -> int:
        if window != self._local_window or len(self._local) >= MAX_ADDRESSES:
            self._local, self._local_window = {}, window
        self._local[subject] = self._local.get(subject, 0) + 1
        return self._local[subject]


def _subject(address: Address | None) -> str:
    if address is None:
        return "unknown"
    if address.version == 6:
        return str(IPv6Network((address, IPV6_PREFIX), strict=False).network_address)
    return str(address)
