"""API keys, for their owners: issue, list, rotate, revoke."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from servicekit.call import current_call
from servicekit.clock import Clock
from servicekit.errors import ErrorReason, InvalidRequest, NotFound
from services.auth.keys import metrics
from services.auth.keys.domain import api_key, page
from services.auth.keys.domain.api_key import ApiKey
from services.auth.keys.domain.key_hash import KeyHasher
from services.auth.keys.domain.key_order import CheckedOrder, KeyOrder, check_order
from services.auth.keys.store.api_keys import KeyStore, find_revoked_at, insert_key, revoke_key, shorten_key
from services.auth.shared.domain.audit import AuditAction, AuditEvent
from services.auth.shared.domain.delegation import Authority, Delegation, Made, check_delegation
from services.auth.shared.domain.identifier import check_id
from services.auth.shared.domain.revocation import RevokedKind
from services.auth.shared.store.unit_of_work import UnitOfWork, UnitsOfWork

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
        self, store: KeyStore, hasher: KeyHasher, units: UnitsOfWork, *, clock: Clock, new_id: Callable[[], UUID]
    ) -> None:
        self._store = store
        self._hasher = hasher
        self._units = units
        self._clock = clock
        self._new_id = new_id

    async def create(self, order: KeyOrder) -> IssuedKey:
        """Issue a key; its secret is shown this once.

        Raises:
            InvalidRequest: a field of the order is wrong.
            NotFound: there is no such user.
            PermissionDenied: the credential that asks may not make such a key.
        """
        check_id(order.user_id, param="user_id", noun="user")
        now = self._clock.now()
        secret = api_key.generate()
        key = _new_key(str(self._new_id()), check_order(order, now), secret, now)

        async def insert(unit: UnitOfWork) -> None:
            await insert_key(unit.connection, key, self._hasher.hash(secret))
            unit.record(_event(AuditAction.KEY_CREATED, key.user_id, key.id, unit.at))

        await self._units.run(insert)
        metrics.KEYS_ISSUED.inc()
        return IssuedKey(key, secret)

    async def rotate(self, user_id: str, key_id: str, overlap_s: int, maker: Authority | None) -> IssuedKey:
        """Issue a key like this one, which itself ends after `overlap_s` seconds; 0 ends it now, on every gateway.

        Raises:
            InvalidRequest: the overlap is out of bounds.
            NotFound: the user has no such key, or it ended.
            PermissionDenied: the credential that asks may not make such a key.
        """
        check_id(user_id, param="key_id", noun="key")
        check_id(key_id, param="key_id", noun="key")
        check_overlap(overlap_s)
        secret, new_id = api_key.generate(), str(self._new_id())

        async def rotate(unit: UnitOfWork) -> ApiKey:
            ends_at = unit.at + timedelta(seconds=overlap_s)
            old = await shorten_key(unit.connection, user_id, key_id, at=unit.at, ends_at=ends_at)
            if old is None:
                raise NotFound(ErrorReason.NOT_FOUND, "There is no such key.")
            check_delegation(Delegation(Made.KEY, old.scopes, old.models, maker))
            key = _successor(old, new_id, secret, unit.at)
            await insert_key(unit.connection, key, self._hasher.hash(secret))
            unit.record(_event(AuditAction.KEY_ROTATED, user_id, key_id, unit.at))
            if not overlap_s:
                # Over by its date already; this tells the gateways, which would believe in it for seconds.
                await _revoke(unit, user_id, key_id)
            return key

        key = await self._units.run(rotate)
        metrics.KEYS_ISSUED.inc()
        metrics.KEYS_REVOKED.inc(0 if overlap_s else 1)
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

        async def revoke(unit: UnitOfWork) -> tuple[datetime | None, bool]:
            if await _revoke(unit, user_id, key_id):
                return unit.at, True
            return await find_revoked_at(unit.connection, user_id, key_id), False

        revoked_at, is_first = await self._units.run(revoke)
        if revoked_at is None:
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such key.", param="key_id")
        metrics.KEYS_REVOKED.inc(1 if is_first else 0)
        return revoked_at


async def _revoke(unit: UnitOfWork, user_id: str, key_id: str) -> bool:
    if not await revoke_key(unit.connection, user_id, key_id, unit.at):
        return False
    await unit.revoke(RevokedKind.KEY, key_id)
    unit.record(_event(AuditAction.KEY_REVOKED, user_id, key_id, unit.at))
    return True


def check_overlap(overlap_s: int) -> None:
    """Refuse an overlap out of bounds.

    Raises:
        InvalidRequest: it is.
    """
    if not 0 <= overlap_s <= MAX_OVERLAP_S:
        raise InvalidRequest(
            ErrorReason.INVALID_PARAMETERS, f"The overlap must be 0 to {MAX_OVERLAP_S} seconds.", param="overlap_s"
        )


def _new_key(key_id: str, order: CheckedOrder, secret: str, now: datetime) -> ApiKey:
    prefix, last_four = api_key.shown_parts(secret)
    return ApiKey(
        id=key_id,
        lineage_id=key_id,
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


def _successor(old: ApiKey, key_id: str, secret: str, now: datetime) -> ApiKey:
    prefix, last_four = api_key.shown_parts(secret)
    return replace(
        old, id=key_id, prefix=prefix, last_four=last_four, created_at=now, last_used_at=None, revoked_at=None
    )


def _event(action: AuditAction, user_id: str, key_id: str, at: datetime) -> AuditEvent:
    return AuditEvent(at, f"user:{user_id}", action, f"key:{key_id}", {"request_id": current_call().request_id})
