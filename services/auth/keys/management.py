"""API keys, for their owners: issue, list, rotate, revoke."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from servicekit.call import current_call
from servicekit.clock import Clock
from servicekit.errors import ErrorReason, InvalidRequest
from services.auth.keys.domain import api_key, page
from services.auth.keys.domain.api_key import ApiKey
from services.auth.keys.domain.key_hash import KeyHasher
from services.auth.keys.domain.key_order import KeyOrder, check_order
from services.auth.keys.store.api_keys import KeyStore
from services.auth.shared import metrics
from services.auth.shared.domain.audit import AuditAction, AuditEvent
from services.auth.shared.domain.identifier import check_id
from services.auth.shared.revocation_feed import RevocationFeed

# Longer than a month, the old key was not rotated but doubled.
MAX_OVERLAP_S: Final = 30 * 86_400


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key with its secret, which exists nowhere else."""

    key: ApiKey
    secret: str

    def __repr__(self) -> str:
        return f"IssuedKey(id={self.key.id})"


@dataclass(frozen=True, slots=True)
class KeyPage:
    """Some keys, newest first; the token is empty on the last page."""

    keys: list[ApiKey]
    next_page_token: str


class ApiKeys:
    """Use cases of keys."""

    def __init__(
        self, store: KeyStore, hasher: KeyHasher, feed: RevocationFeed, *, clock: Clock, new_id: Callable[[], UUID]
    ) -> None:
        self._store = store
        self._hasher = hasher
        self._feed = feed
        self._clock = clock
        self._new_id = new_id

    async def create(self, order: KeyOrder) -> IssuedKey:
        """Issue a key; its secret is shown this once.

        Raises:
            InvalidRequest: a field of the order is wrong.
            NotFound: there is no such user.
        """
        check_id(order.user_id, param="user_id", noun="user")
        now = self._clock.now()
        secret = api_key.generate()
        key = _new_key(str(self._new_id()), check_order(order, now), secret, now)
        event = _event(AuditAction.KEY_CREATED, key.user_id, key.id, now)
        await self._store.insert(key, self._hasher.hash(secret), event)
        metrics.KEYS_ISSUED.inc()
        return IssuedKey(key, secret)

    async def rotate(self, user_id: str, key_id: str, overlap_s: int) -> IssuedKey:
        """Issue a key like this one, which itself ends after `overlap_s` seconds; 0 ends it now, on every gateway.

        Raises:
            InvalidRequest: the overlap is out of bounds.
            NotFound: the user has no such key, or it ended.
        """
        check_id(user_id, param="key_id", noun="key")
        check_id(key_id, param="key_id", noun="key")
        if not 0 <= overlap_s <= MAX_OVERLAP_S:
            raise InvalidRequest(
                ErrorReason.INVALID_PARAMETERS, f"The overlap must be 0 to {MAX_OVERLAP_S} seconds.", param="overlap_s"
            )
        now = self._clock.now()
        secret, new_id = api_key.generate(), str(self._new_id())
        prefix, last_four = api_key.shown_parts(secret)

        def succeed(old: ApiKey) -> ApiKey:
            return replace(
                old, id=new_id, prefix=prefix, last_four=last_four, created_at=now, last_used_at=None, revoked_at=None
            )

        event = _event(AuditAction.KEY_ROTATED, user_id, key_id, now)
        ends_at = now + timedelta(seconds=overlap_s)
        key = await self._store.rotate((key_id, user_id), ends_at, succeed, self._hasher.hash(secret), event)
        metrics.KEYS_ISSUED.inc()
        if not overlap_s:
            # It is over by its date already; this tells the gateways, which would believe in it for seconds.
            await self.revoke(user_id, key_id)
        return IssuedKey(key, secret)

    async def list_page(self, user_id: str, *, size: int, page_token: str) -> KeyPage:
        """Return some of a user's keys; nothing for a user who does not exist.

        Raises:
            InvalidRequest: the size is out of bounds, or the token is not ours.
            NotFound: no user id looks like this.
        """
        check_id(user_id, param="user_id", noun="user")
        limit = page.page_size(size)
        # One more than asked tells whether there is a next page.
        keys = await self._store.list_page(user_id, page.from_token(page_token), limit + 1)
        shown = keys[:limit]
        more = len(keys) > limit
        return KeyPage(shown, page.to_token(page.Cursor(shown[-1].created_at, shown[-1].id) if more else None))

    async def revoke(self, user_id: str, key_id: str) -> datetime:
        """End a key on every gateway; return since when it is ended. Doing it again changes nothing.

        Raises:
            NotFound: the user has no such key.
        """
        check_id(user_id, param="key_id", noun="key")
        check_id(key_id, param="key_id", noun="key")
        now = self._clock.now()
        event = _event(AuditAction.KEY_REVOKED, user_id, key_id, now)
        until = self._feed.believed_until(now)
        revoked_at, revocation = await self._store.revoke(user_id, key_id, event, until=until)
        if revocation is not None:
            metrics.KEYS_REVOKED.inc()
            await self._feed.announce(revocation)
        return revoked_at


def _new_key(key_id: str, order: KeyOrder, secret: str, now: datetime) -> ApiKey:
    prefix, last_four = api_key.shown_parts(secret)
    return ApiKey(
        id=key_id,
        user_id=order.user_id,
        name=order.name,
        prefix=prefix,
        last_four=last_four,
        scopes=order.scopes,
        models=order.models,
        ip_allow_list=order.ip_allow_list,
        budget=order.budget,
        created_at=now,
        expires_at=order.expires_at,
        last_used_at=None,
        revoked_at=None,
    )


def _event(action: AuditAction, user_id: str, key_id: str, at: datetime) -> AuditEvent:
    return AuditEvent(at, f"user:{user_id}", action, f"key:{key_id}", {"request_id": current_call().request_id})
