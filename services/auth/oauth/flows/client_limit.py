"""Rate limit of each client at the endpoints for programs."""

from __future__ import annotations

import math

import structlog

from servicekit.clock import Clock
from servicekit.errors import Unavailable
from services.auth.oauth import metrics
from services.auth.oauth.audit_events import current_address
from services.auth.oauth.cache.client_counters import ClientCounters
from services.auth.oauth.domain.client import Client
from services.auth.oauth.domain.refusal import OAuthError, OAuthRefusal
from services.auth.shared.domain.origin import host_of

log = structlog.get_logger()


class ClientLimit:
    """Counts requests of authenticated clients; of public clients, whose ids anybody can use, for each address."""

    def __init__(self, counters: ClientCounters, *, per_minute: int, exchanges_per_minute: int, clock: Clock) -> None:
        self._counters = counters
        self._per_minute = per_minute
        self._exchanges_per_minute = exchanges_per_minute
        self._clock = clock

    async def count(self, client: Client) -> None:
        """Count a request of this client.

        Raises:
            OAuthRefusal: temporarily_unavailable, 429: it made too many; it says when to come again.
        """
        await self._count(_name(client), self._per_minute, "Too many requests from this client.")

    async def count_exchange(self, user_id: str) -> None:
        """Count a token of release 1.0 that is genuine, whoever brings it and from wherever.

        Raises:
            OAuthRefusal: temporarily_unavailable, 429: this user's were exchanged too often.
        """
        await self._count(f"exchange:{user_id}", self._exchanges_per_minute, "Too many exchanges for this user.")

    async def _count(self, name: str, per_minute: int, refusal: str) -> None:
        if not per_minute or not name:
            return
        try:
            wait_s = await self._counters.take(name, per_minute, self._clock.now())
        except Unavailable as exc:
            # Tokens do not depend on Redis; the gateway's limit of addresses holds without it.
            log.warning("oauth.client_limit_without_redis", reason=exc.reason.value)
            return
        if wait_s:
            metrics.CLIENTS_LIMITED.inc()
            raise OAuthRefusal(
                OAuthError.TEMPORARILY_UNAVAILABLE, refusal, http_status=429, retry_after_s=math.ceil(wait_s)
            )


def _name(client: Client) -> str:
    if client.is_confidential:
        return client.id
    address = host_of(current_address())
    # Without an address all strangers would share one counter, and one of them could shut out the others.
    return f"{client.id}@{address}" if address else ""
