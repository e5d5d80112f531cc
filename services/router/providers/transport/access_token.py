"""Short-lived access tokens: fetched once for all waiters, renewed before they expire, shared by replicas."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from servicekit.clock import Clock
from servicekit.errors import ServiceError
from services.router import metrics

# Renew this long before the provider's own end: a request must not start with a token that ends on its way.
EARLY_S: Final = 60.0
# Use a token at least this long after it came, whatever its end and our clock say: a router whose clock is ahead by a
# token's life would get one for every call. It is less than EARLY_S, so by a right clock none is used beyond its end.
USED_AT_LEAST_S: Final = 30.0
LOCK_S: Final = 10.0
LOOK_AGAIN_S: Final = 0.05
WAIT_FOR_PEER_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token and when to stop using it (Unix seconds). Its value never shows in a repr."""

    value: str
    use_until: float

    def __repr__(self) -> str:
        return f"AccessToken(use_until={self.use_until})"


class TokenShare(Protocol):
    """A store in which replicas share tokens. Methods never raise: if it is lost, they return None or False."""

    async def get(self, key: str) -> bytes | None:
        """Return what a peer left."""
        ...

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """Leave a value for peers."""
        ...

    async def lock(self, key: str, owner: str, ttl_s: float) -> bool | None:
        """Try to become the one who asks the provider; None: the store is lost."""
        ...

    async def unlock(self, key: str, owner: str) -> None:
        """Let the next one ask."""
        ...


class SingleFlight:
    """Holds one token; concurrent callers share one fetch, and its failure."""

    def __init__(
        self, fetch: Callable[[AccessToken | None], Awaitable[AccessToken]], clock: Clock, *, provider: str
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._token: AccessToken | None = None
        self._came_at = 0.0
        self._lock = asyncio.Lock()
        self._failed = metrics.TOKEN_REFRESH_FAILURES.labels(provider)
        self._failures = 0
        self._failure: ServiceError | None = None

    async def get(self) -> str:
        """Return a token that can be used now.

        Raises:
            ServiceError: the provider gave none.
        """
        token = self._token
        if token is not None and self._usable(token):
            return token.value
        return await self.renew(token.value if token else "")

    async def renew(self, refused: str) -> str:
        """Return a token other than `refused`; whoever comes while it is being got waits for the same one."""
        failures_before = self._failures
        async with self._lock:
            token = self._token
            if token is not None and token.value != refused and self._usable(token):
                return token.value
            if self._failure is not None and self._failures != failures_before:
                raise self._failure.anew()
            return (await self._fetched(token)).value

    def _usable(self, token: AccessToken) -> bool:
        if self._clock.now().timestamp() < token.use_until:
            return True
        return self._clock.monotonic() - self._came_at < USED_AT_LEAST_S

    async def _fetched(self, old: AccessToken | None) -> AccessToken:
        try:
            token = await self._fetch(old)
        except ServiceError as exc:
            self._failures += 1
            self._failed.inc()
            self._failure = exc
            raise
        self._token, self._came_at = token, self._clock.monotonic()
        return token


class SharedToken:
    """Gets a token from another replica, or from the provider under a lock; encrypted at rest."""

    def __init__(
        self,
        issue: Callable[[], Awaitable[AccessToken]],
        share: TokenShare,
        clock: Clock,
        *,
        provider: str,
        secret: str,
    ) -> None:
        self._issue = issue
        self._share = share
        self._clock = clock
        self._provider = provider
        # Who knows the credentials may read the token, nobody else who sees Redis.
        self._sealer = AESGCM(hashlib.sha256(b"razvilka token at rest\0" + secret.encode()).digest())
        self._key = hashlib.sha256(b"razvilka token name\0" + secret.encode()).hexdigest()[:32]

    async def fetch(self, old: AccessToken | None) -> AccessToken:
        """Return a token other than `old`."""
        owner = secrets.token_hex(8)
        waited_until = self._clock.monotonic() + WAIT_FOR_PEER_S
        try:
            while True:
                if (shared := await self._from_peer(old)) is not None:
                    metrics.TOKEN_REFRESHES.labels(self._provider, "shared").inc()
                    return shared
                locked = await self._share.lock(self._key, owner, LOCK_S)
                if locked is not False or self._clock.monotonic() >= waited_until:
                    break
                await self._clock.sleep(LOOK_AGAIN_S)
            token = await self._issue()
            await self._to_peers(token)
        except BaseException:
            # Also of who leaves in the middle of the question: it may have been answered with yes.
            await self._share.unlock(self._key, owner)
            raise
        await self._share.unlock(self._key, owner)
        metrics.TOKEN_REFRESHES.labels(self._provider, "issued").inc()
        return token

    async def _from_peer(self, old: AccessToken | None) -> AccessToken | None:
        sealed = await self._share.get(self._key)
        if not sealed:
            return None
        try:
            plain = self._sealer.decrypt(sealed[:12], sealed[12:], self._key.encode())
            value, use_until = msgspec.json.decode(plain, type=tuple[str, float])
        except (InvalidTag, ValueError, msgspec.DecodeError):
            return None
        usable = self._clock.now().timestamp() < use_until and (old is None or old.value != value)
        return AccessToken(value, use_until) if usable else None

    async def _to_peers(self, token: AccessToken) -> None:
        nonce = secrets.token_bytes(12)
        plain = msgspec.json.encode((token.value, token.use_until))
        ttl_s = token.use_until - self._clock.now().timestamp()
        if ttl_s > 0:
            await self._share.put(self._key, nonce + self._sealer.encrypt(nonce, plain, self._key.encode()), ttl_s)
