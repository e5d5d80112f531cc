"""The public keys that verify access tokens: fetched from auth, kept fresh, asked for again when a key is unknown."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import structlog

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, ServiceError, Unauthenticated, Unavailable
from servicekit.trust import jwt
from services.gateway.clients.oauth_views import IssuerKeys
from services.gateway.identity import metrics

log = structlog.get_logger()

REFRESH_S: Final = 60.0
RETRY_S: Final = 1.0
# Anybody can make up key ids: their questions must not become ours.
UNKNOWN_KEY_GAP_S: Final = 30.0
LEEWAY_S: Final = 30
# A symmetric algorithm would turn the public key into a signing secret.
ALGORITHMS: Final = frozenset({"RS256", "ES256"})
REQUIRED: Final = frozenset({"iss", "aud", "exp", "iat", "jti", "sub", "client_id", "gid"})


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """One answer, ready for use."""

    published: IssuerKeys
    keys: Mapping[str, jwt.Key]
    expected: jwt.Expected
    fetched_at: float


class KeySet:
    """Knows the issuer, its keys and its metadata."""

    def __init__(self, fetch: Callable[[], Awaitable[IssuerKeys]], clock: Clock, *, max_age_s: float) -> None:
        self._fetch = fetch
        self._clock = clock
        self._max_age_s = max_age_s
        self._snapshot: _Snapshot | None = None
        self._lock = asyncio.Lock()
        self._asked = 0
        self._asked_at = float("-inf")
        self._asked_for_unknown_at = float("-inf")
        metrics.JWKS_AGE.set_function(self._age_s)

    async def run(self) -> None:
        """Keep the keys fresh, for ever."""
        while True:
            fetched = await self._try_fetch()
            await self._clock.sleep(REFRESH_S if fetched else RETRY_S)

    @property
    def is_ready(self) -> bool:
        """Tell whether auth has ever said what its tokens are verified with."""
        return self._snapshot is not None

    async def published(self) -> IssuerKeys:
        """Return what auth says of its tokens.

        Raises:
            Unavailable: nothing recent is known, and auth cannot be asked.
        """
        return (await self._usable()).published

    async def verify(self, token: str) -> dict[str, Any]:
        """Return the claims of an access token of ours.

        Raises:
            Unauthenticated: it is not one, or its time is over.
            Unavailable: there are no keys to check it with.
        """
        snapshot = await self._usable()
        try:
            return jwt.verify(token, snapshot.keys, snapshot.expected, self._clock.now())
        except Unauthenticated:
            if not await self._learns_key_of(token, snapshot):
                raise
        snapshot = await self._usable()
        return jwt.verify(token, snapshot.keys, snapshot.expected, self._clock.now())

    async def _usable(self) -> _Snapshot:
        snapshot = self._recent()
        if snapshot is None and self._clock.monotonic() - self._asked_at >= RETRY_S:
            await self._try_fetch()
            snapshot = self._recent()
        if snapshot is None:
            raise Unavailable(
                ErrorReason.SERVICE_UNAVAILABLE, "Tokens cannot be checked at the moment. Try again.", retry_after_s=1.0
            )
        return snapshot

    def _recent(self) -> _Snapshot | None:
        snapshot = self._snapshot
        if snapshot is None or self._clock.monotonic() - snapshot.fetched_at > self._max_age_s:
            return None
        return snapshot

    async def _learns_key_of(self, token: str, snapshot: _Snapshot) -> bool:
        kid = kid_of(token)
        if not kid or kid in snapshot.keys:
            return False
        if self._clock.monotonic() - self._asked_for_unknown_at < UNKNOWN_KEY_GAP_S:
            return False
        self._asked_for_unknown_at = self._clock.monotonic()
        await self._try_fetch()
        return self._snapshot is not None and kid in self._snapshot.keys

    async def _try_fetch(self) -> bool:
        """Ask auth; those who ask at the same time share one answer."""
        asked_before, known_before = self._asked, self._snapshot
        async with self._lock:
            fetched = self._snapshot is not known_before
            if fetched or self._asked > asked_before:
                return fetched
            self._asked += 1
            self._asked_at = self._clock.monotonic()
            try:
                self._snapshot = _snapshot_of(await self._fetch(), self._clock.monotonic())
            except ServiceError as exc:
                log.warning("jwks.not_fetched", reason=exc.reason.value)
                return False
            except (ValueError, KeyError, TypeError):
                log.exception("jwks.unreadable")
                return False
        return True

    def _age_s(self) -> float:
        return float("nan") if self._snapshot is None else self._clock.monotonic() - self._snapshot.fetched_at


def _snapshot_of(published: IssuerKeys, fetched_at: float) -> _Snapshot:
    allowed = ALGORITHMS.intersection(published.algorithms)
    keys = {
        member["kid"]: jwt.public_key(member)
        for member in json.loads(published.jwks_json)["keys"]
        if member.get("alg") in allowed and member.get("kid")
    }
    if not keys or not published.issuer or not published.audience:
        raise ValueError("auth published no usable key, issuer or audience")
    expected = jwt.Expected(
        frozenset({"at+jwt"}), published.issuer, published.audience, required=REQUIRED, leeway_s=LEEWAY_S
    )
    return _Snapshot(published, keys, expected, fetched_at)


def kid_of(token: str) -> str:
    """Return the key id that a token names, "" when there is none; nothing of it is believed."""
    head = token.partition(".")[0]
    try:
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (ValueError, RecursionError):
        return ""
    kid = header.get("kid") if isinstance(header, dict) else None
    return kid if isinstance(kid, str) else ""


@dataclass(frozen=True, slots=True)
class PublicAddress:
    """The address of this gateway as browsers see it: `configured`, else the issuer's."""

    configured: str
    key_set: KeySet

    async def __call__(self) -> str:
        """Return it, without a slash at the end.

        Raises:
            Unavailable: it is not configured, and the issuer is not known yet.
        """
        return (self.configured or (await self.key_set.published()).issuer).rstrip("/")
