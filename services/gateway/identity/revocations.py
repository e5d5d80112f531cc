"""Hears what ended, so that it ends here within a second; asks every two seconds for what was not heard.

Three ways in, one way on: the push over Redis, the set that Redis keeps for those who reconnect, and auth's own list,
which is the truth. Any one of them is enough.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import aclosing
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

import msgspec
import structlog
from redis.asyncio import Redis

from servicekit.clock import Clock
from servicekit.errors import ServiceError, name_of
from servicekit.redis import LOST, published
from services.gateway.clients.caller import Caller
from services.gateway.clients.oauth_views import Revocation
from services.gateway.identity import metrics
from services.gateway.identity.key_cache import KeyCache
from services.gateway.identity.revoked import KEEP_S, Revoked

log = structlog.get_logger()

CHANNEL: Final = "razvilka:auth:revoked"
HISTORY: Final = "razvilka:auth:revocations"
# A listener that hears nothing for this long asks the connection whether it still lives.
POLL_S: Final = 1.0
RECONNECT_S: Final = 0.5
# A push can be lost without anybody noticing: with this, and the RPC's deadline, everything is known within five.
ASK_EVERY_S: Final = 2.0
# The first question: everything that a token can still be waiting for.
FIRST_LOOK: Final = timedelta(seconds=KEEP_S)

# Which name of a caller a kind of credential goes by.
SUBJECT_OF: Final[dict[str, Callable[[Caller], str]]] = {
    "user": lambda caller: caller.user_id,
    "key": lambda caller: caller.key_id,
    "grant": lambda caller: caller.grant_id,
    "client": lambda caller: caller.client_id,
}

# So many are put into effect in a millisecond; then it is somebody else's turn.
AT_ONCE: Final = 200

# Since a moment -> pages of what ended since then, and with the first the next moment to ask for.
ListRevocations = Callable[[datetime], AsyncIterator[tuple[list[Revocation], datetime]]]
_DECODER: Final = msgspec.json.Decoder(Revocation)


class RevocationEffects:
    """Puts revocations into effect, each once."""

    def __init__(self, keys: KeyCache, grants: KeyCache, revoked: Revoked, clock: Clock) -> None:
        self._keys = keys
        self._grants = grants
        self._revoked = revoked
        self._clock = clock
        # By when each may be forgotten, the first of all first.
        self._seen: OrderedDict[Revocation, float] = OrderedDict()

    async def apply_all(self, revocations: Iterable[Revocation], source: str) -> None:
        """Put thousands into effect, and let others run meanwhile."""
        pending = iter(revocations)
        while some := list(islice(pending, AT_ONCE)):
            self.apply(some, source)
            await asyncio.sleep(0)

    def apply(self, revocations: Iterable[Revocation], source: str) -> None:
        """Put them into effect. `source`: how they were heard of."""
        changed = defaultdict[str, set[str]](set)
        for revocation in revocations:
            if revocation not in self._seen:
                self._note(revocation, source)
                self._end(revocation, changed)
        for kind, ids in changed.items():
            self._ask_again(kind, ids)

    def _note(self, revocation: Revocation, source: str) -> None:
        now = self._clock.monotonic()
        while self._seen and next(iter(self._seen.values())) <= now:
            self._seen.popitem(last=False)
        self._seen[revocation] = now + KEEP_S
        metrics.REVOCATIONS.labels(source).inc()
        if revocation.at and source != "history":
            waited = self._clock.now().timestamp() - revocation.at / 1000
            metrics.REVOCATION_SECONDS.labels(source).observe(max(0.0, waited))

    def _end(self, revocation: Revocation, changed: dict[str, set[str]]) -> None:
        if revocation.kind == "key":
            self._keys.revoke_key(revocation.id)
        elif revocation.kind == "user":
            # Asked again, not refused: what a user did after that moment counts.
            changed["user"].add(revocation.id)
        elif revocation.kind == "changed":
            kind, _, id = revocation.id.partition(":")
            changed[kind].add(id)
        elif not self._revoked.add(revocation.kind, revocation.id):
            log.warning("revocations.unknown_kind", kind=revocation.kind)

    def _ask_again(self, kind: str, ids: set[str]) -> None:
        """Forget what is known of credentials that were switched: auth says what counts now.

        All at once, for every credential that is known is looked at.
        """
        name = SUBJECT_OF.get(kind)
        if name is None:
            log.warning("revocations.unknown_kind", kind=kind)
            return
        for cache in (self._keys, self._grants):
            cache.forget(lambda caller: name(caller) in ids)


class RevocationListener:
    """Hears pushes, and after every reconnection reads what was missed."""

    def __init__(self, redis: Redis, effects: RevocationEffects, clock: Clock) -> None:
        self._redis = redis
        self._effects = effects
        self._clock = clock

    async def run(self) -> None:
        """Listen for ever."""
        while True:
            try:
                await self._listen()
            except LOST as exc:
                log.warning("revocations.disconnected", error=name_of(exc))
            metrics.LISTENING.set(0)
            await self._clock.sleep(RECONNECT_S)

    async def _listen(self) -> None:
        async with aclosing(published(self._redis, CHANNEL, poll_s=POLL_S)) as messages:
            async for message in messages:
                if message is None:
                    # Only now: whatever is published from here on is heard, whatever came before is in the set.
                    await self._effects.apply_all(decoded(await self._redis.zrange(HISTORY, 0, -1)), "history")
                    metrics.LISTENING.set(1)
                else:
                    self._effects.apply(decoded([message]), "push")


class RevocationPoller:
    """Asks auth for its list; when auth is away, reads the set in Redis."""

    def __init__(
        self, redis: Redis, list_revocations: ListRevocations, effects: RevocationEffects, clock: Clock
    ) -> None:
        self._redis = redis
        self._list = list_revocations
        self._effects = effects
        self._clock = clock
        self._since: datetime | None = None

    async def run(self) -> None:
        """Ask for ever."""
        while True:
            await self.ask()
            await self._clock.sleep(ASK_EVERY_S)

    async def ask(self) -> None:
        """Ask once."""
        source = "history" if self._since is None else "list"
        since = self._since or self._clock.now() - FIRST_LOOK
        next_since: datetime | None = None
        try:
            async for revocations, as_of in self._list(since):
                next_since = next_since or as_of
                await self._effects.apply_all(revocations, source)
            self._since = next_since
        except ServiceError as exc:
            log.warning("revocations.not_listed", reason=exc.reason.value)
            await self._read_set()

    async def _read_set(self) -> None:
        recent = int((self._clock.now().timestamp() - 60) * 1000)
        try:
            await self._effects.apply_all(decoded(await self._redis.zrangebyscore(HISTORY, recent, "+inf")), "set")
        except LOST:
            # Nobody can be asked. Grants and keys are believed for seconds only, which bounds this too.
            log.warning("revocations.nobody_to_ask")


def decoded(payloads: Iterable[Any]) -> Iterable[Revocation]:
    """Yield the revocations of these payloads; what cannot be read is logged and left out."""
    for payload in payloads:
        try:
            yield _DECODER.decode(payload)
        except msgspec.DecodeError:
            log.warning("revocations.unreadable")
