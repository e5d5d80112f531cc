"""Verified keys (and grants), remembered for seconds by a keyed digest; the key itself is never kept."""

from __future__ import annotations

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from servicekit.clock import Clock
from servicekit.errors import DeadlineExceeded, ErrorReason, Internal, ServiceError, Unauthenticated, Unavailable
from services.gateway.clients.caller import Caller
from services.gateway.identity import metrics

MAX_ENTRIES: Final = 50_000
MAX_REFUSALS: Final = 10_000
# Long enough to blunt a loop of wrong keys, short enough that a key works at once after it was made.
REFUSAL_S: Final = 1.0
# While auth is down every key would wait for its own timeout: after one failure the others don't.
DOWN_S: Final = 1.0

Verify = Callable[[], Awaitable[Caller]]


@dataclass(slots=True)
class _Entry:
    caller: Caller
    verified_at: float


class KeyCache:
    """Remembers verdicts. One question at a time for one key, however many requests wait for it."""

    def __init__(
        self, clock: Clock, *, fresh_s: float, stale_s: float, outcomes: metrics.Outcomes = metrics.KEY_OUTCOMES
    ) -> None:
        self._clock = clock
        self._outcomes = outcomes
        self._fresh_s = fresh_s
        self._stale_s = stale_s
        # Per process and never written down: a dump of the cache does not help to guess keys.
        self._secret = secrets.token_bytes(32)
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()
        self._refusals: OrderedDict[bytes, tuple[float, ServiceError]] = OrderedDict()
        self._asking: dict[bytes, asyncio.Future[Caller]] = {}
        # By when each may be forgotten, the first of all first.
        self._revoked: OrderedDict[str, float] = OrderedDict()
        self._down_until = 0.0
        self._forgettings = 0

    def digest(self, key: bytes) -> bytes:
        """Return the name under which a key is remembered."""
        return blake2b(key, key=self._secret, digest_size=16).digest()

    def fresh(self, digest: bytes) -> Caller | None:
        """Return the caller when the key was verified within the last seconds."""
        entry = self._entry(digest)
        if entry is None or self._clock.monotonic() - entry.verified_at >= self._fresh_s:
            return None
        return None if self._has_expired(entry.caller) else entry.caller

    async def get(self, digest: bytes, verify: Verify) -> Caller:
        """Return who holds the key, asking `verify` when it is not fresh.

        Raises:
            Unauthenticated: the key does not count.
            Unavailable: it is unknown here, and auth cannot be asked.
        """
        caller = self.fresh(digest)
        if caller is not None:
            self._outcomes.hit.inc()
            return caller
        self._raise_known_refusal(digest)
        waiting = self._asking.get(digest)
        if waiting is not None:
            return await asyncio.shield(waiting)
        return await self._ask(digest, verify)

    async def _ask(self, digest: bytes, verify: Verify) -> Caller:
        answer = asyncio.get_running_loop().create_future()
        # Nobody may wait; an unread failure must not be reported as lost.
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._asking[digest] = answer
        try:
            caller = await self._verified(digest, verify)
        except ServiceError as exc:
            answer.set_exception(exc)
            raise
        except BaseException:
            # The one who asked was cancelled; those who wait ask again when they come back.
            answer.set_exception(_cannot_ask())
            raise
        else:
            answer.set_result(caller)
            return caller
        finally:
            del self._asking[digest]

    async def _verified(self, digest: bytes, verify: Verify) -> Caller:
        now = self._clock.monotonic()
        if now < self._down_until:
            return self._stale(digest, now)
        forgettings = self._forgettings
        try:
            caller = await verify()
        except Unauthenticated as exc:
            self._refuse(digest, exc)
            raise
        except (Unavailable, DeadlineExceeded, Internal):
            self._down_until = self._clock.monotonic() + DOWN_S
            return self._stale(digest, now)
        self._down_until = 0.0
        if forgettings != self._forgettings:
            # Something ended meanwhile; this answer may be from before. Good for this request, not for the next.
            self._entries.pop(digest, None)
            return caller
        return self._remember(digest, caller)

    def _entry(self, digest: bytes) -> _Entry | None:
        """Return what is remembered, unless its key was revoked: for as long as it could be believed, that is known."""
        entry = self._entries.get(digest)
        return None if entry is None or entry.caller.key_id in self._revoked else entry

    def _stale(self, digest: bytes, now: float) -> Caller:
        entry = self._entry(digest)
        if entry is None or now - entry.verified_at > self._stale_s:
            self._outcomes.unavailable.inc()
            raise _cannot_ask()
        if self._has_expired(entry.caller):
            raise Unauthenticated(ErrorReason.INVALID_KEY, "The API key is not valid.")
        self._outcomes.stale.inc()
        return entry.caller

    def _has_expired(self, caller: Caller) -> bool:
        return caller.expires_at is not None and caller.expires_at <= self._clock.now()

    def _remember(self, digest: bytes, caller: Caller) -> Caller:
        if caller.key_id in self._revoked:
            # Verified just before the revocation was stored, heard of just after it.
            raise _revoked()
        self._outcomes.verified.inc()
        if len(self._entries) >= MAX_ENTRIES:
            self._entries.popitem(last=False)
        self._entries.pop(digest, None)
        self._entries[digest] = _Entry(caller, self._clock.monotonic())
        return caller

    def _refuse(self, digest: bytes, error: ServiceError) -> None:
        self._outcomes.refused.inc()
        self._entries.pop(digest, None)
        if len(self._refusals) >= MAX_REFUSALS:
            self._refusals.popitem(last=False)
        self._refusals[digest] = (self._clock.monotonic() + REFUSAL_S, error)

    def _raise_known_refusal(self, digest: bytes) -> None:
        refusal = self._refusals.get(digest)
        if refusal is None:
            return
        until, error = refusal
        if self._clock.monotonic() < until:
            self._outcomes.hit.inc()
            raise type(error)(error.reason, error.message, param=error.param, details=error.details)
        del self._refusals[digest]

    def revoke_key(self, key_id: str) -> None:
        """Believe no verdict about a key any more, nor one that is still on its way.

        What is remembered is not looked through: thousands may be revoked at once.
        """
        now = self._clock.monotonic()
        while self._revoked and next(iter(self._revoked.values())) <= now:
            self._revoked.popitem(last=False)
        self._revoked[key_id] = now + self._stale_s + self._fresh_s
        self._revoked.move_to_end(key_id)

    def forget(self, matches: Callable[[Caller], bool]) -> None:
        """Ask again about every credential of this kind of caller."""
        self._forgettings += 1
        self._drop(matches)

    def _drop(self, matches: Callable[[Caller], bool]) -> None:
        for digest in [digest for digest, entry in self._entries.items() if matches(entry.caller)]:
            del self._entries[digest]


def _cannot_ask() -> Unavailable:
    return Unavailable(
        ErrorReason.SERVICE_UNAVAILABLE, "The credential cannot be checked at the moment. Try again.", retry_after_s=1.0
    )


def _revoked() -> Unauthenticated:
    return Unauthenticated(ErrorReason.INVALID_KEY, "The API key is not valid.")
