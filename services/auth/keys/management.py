"""Issuing, listing, rotating and revoking API keys, by their owners."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, NotFound
from services.auth.keys import metrics
from services.auth.keys.audit_events import key_event
from services.auth.keys.domain import api_key, page
from services.auth.keys.domain.api_key import ApiKey
from services.auth.keys.domain.key_hash import KeyHasher
from services.auth.keys.domain.key_order import CheckedOrder, KeyOrder, check_order
from services.auth.keys.store.api_keys import (
    KeyStore,
    count_live_keys,
    find_revoked_at,
    insert_key,
    revoke_key,
    shorten_key,
)
from services.auth.shared.domain.audit import AuditAction
from services.auth.shared.domain.bounds import Bounds, check_room
from services.auth.shared.domain.delegation import Asker, Authority, Delegation, Made, delegate, makers_of
from services.auth.shared.domain.identifier import check_id
from services.auth.shared.domain.overlap import check_overlap
from services.auth.shared.domain.revocation import RevokedKind
from services.auth.shared.in_person import InPerson
from services.auth.shared.store.accounts import lock_account
from services.auth.shared.store.descendants import adopt
from services.auth.shared.store.makers import hold_maker
from services.auth.shared.store.unit_of_work import UnitOfWork, UnitsOfWork


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key with its secret, which is returned only here."""

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
        self,
        store: KeyStore,
        hasher: KeyHasher,
        units: UnitsOfWork,
        in_person: InPerson,
        *,
        bounds: Bounds,
        clock: Clock,
        new_id: Callable[[], UUID],
    ) -> None:
        self._bounds = bounds
        self._in_person = in_person
        self._store = store
        self._hasher = hasher
        self._units = units
        self._clock = clock
        self._new_id = new_id

    async def create(self, order: KeyOrder, asker: Asker) -> IssuedKey:
        """Issue a key; its secret is shown this once.

        Raises:
            InvalidRequest: a field of the order is wrong.
            NotFound: there is no such user.
            PermissionDenied: the credential that asks may not make such a key.
            Unauthenticated: it ended meanwhile, or nobody asks who may.
            Conflict: the account has as many keys as it may have.
        """
        check_id(order.user_id, param="user_id", noun="user")
        # What is wrong whoever asks; what the maker may is decided where it cannot end meanwhile.
        check_order(replace(order, maker=None), self._clock.now(), owner_is_admin=True)
        await self._in_person.check(asker, order.user_id)
        secret, key_id = api_key.generate(), str(self._new_id())

        async def insert(unit: UnitOfWork) -> ApiKey:
            async with unit.rows_of(order.user_id):
                is_admin = await _is_admin(unit, order.user_id)
                await self._check_room(unit, order.user_id)
                maker = await hold_maker(unit, asker.maker, order.user_id)
                checked = check_order(replace(order, maker=maker), unit.at, owner_is_admin=is_admin)
                key = _new_key(key_id, checked, secret, unit.at)
                await insert_key(unit.connection, key, self._hasher.hash(secret))
            unit.record(key_event(AuditAction.KEY_CREATED, key.user_id, key.id, unit.at))
            return key

        key = await self._units.run(insert)
        metrics.KEYS_ISSUED.inc()
        return IssuedKey(key, secret)

    async def rotate(self, user_id: str, key_id: str, overlap_s: int, asker: Asker) -> IssuedKey:
        """Issue a key like this one, which itself ends after `overlap_s` seconds; 0 ends it now, on every gateway.

        Raises:
            InvalidRequest: the overlap is out of bounds.
            NotFound: the user has no such key, or it ended.
            PermissionDenied: the credential that asks may not make such a key.
            Unauthenticated: it ended meanwhile, or nobody asks who may.
        """
        check_id(user_id, param="key_id", noun="key")
        check_id(key_id, param="key_id", noun="key")
        check_overlap(overlap_s)
        await self._in_person.check(asker, user_id)
        secret, new_id = api_key.generate(), str(self._new_id())

        async def rotate(unit: UnitOfWork) -> ApiKey:
            async with unit.rows_of(user_id):
                key = await _succeed(unit, user_id, key_id, overlap_s, asker.maker, (new_id, secret))
                if overlap_s:
                    await self._check_room(unit, user_id)
                await insert_key(unit.connection, key, self._hasher.hash(secret))
            # What the key made goes on with its successor.
            await adopt(unit.connection, f"key:{key_id}", f"key:{key.id}")
            unit.record(key_event(AuditAction.KEY_ROTATED, user_id, key_id, unit.at))
            if not overlap_s:
                # Over by its date already; this tells the gateways, which would believe in it for seconds.
                await _revoke(unit, user_id, key_id)
            return key

        key = await self._units.run(rotate)
        metrics.KEYS_ISSUED.inc()
        metrics.KEYS_REVOKED.inc(0 if overlap_s else 1)
        return IssuedKey(key, secret)

    async def _check_room(self, unit: UnitOfWork, user_id: str) -> None:
        check_room(await count_live_keys(unit.connection, user_id, unit.at), self._bounds.keys, "API keys")

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


async def _succeed(
    unit: UnitOfWork, user_id: str, key_id: str, overlap_s: int, claimed: Authority | None, new: tuple[str, str]
) -> ApiKey:
    is_admin = await _is_admin(unit, user_id)
    maker = await hold_maker(unit, claimed, user_id)
    ends_at = unit.at + timedelta(seconds=overlap_s)
    old = await shorten_key(unit.connection, user_id, key_id, at=unit.at, ends_at=ends_at)
    if old is None:
        raise NotFound(ErrorReason.NOT_FOUND, "There is no such key.", param="key_id")
    delegate(Delegation(Made.KEY, old.powers, maker, owner_is_admin=is_admin))
    itself = maker is not None and maker.subject == f"key:{key_id}"
    makers = makers_of(None if itself else maker, *old.makers)
    return _successor(old, *new, makers, unit.at)


async def _is_admin(unit: UnitOfWork, user_id: str) -> bool:
    # The account first: whatever ends it locks it before its credentials.
    owner = await lock_account(unit.connection, user_id)
    if owner is None or not owner.is_usable:
        raise NotFound(ErrorReason.NOT_FOUND, "There is no such user.", param="user_id")
    return owner.is_admin


async def _revoke(unit: UnitOfWork, user_id: str, key_id: str) -> bool:
    async with unit.rows_of(user_id):
        is_revoked = await revoke_key(unit.connection, user_id, key_id, unit.at)
    if not is_revoked:
        return False
    await unit.revoke(RevokedKind.KEY, key_id)
    unit.record(key_event(AuditAction.KEY_REVOKED, user_id, key_id, unit.at))
    return True


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
        makers=order.makers,
        cache_ttl_s=order.cache_ttl_s,
    )


def _successor(old: ApiKey, key_id: str, secret: str, makers: tuple[str, ...], now: datetime) -> ApiKey:
    prefix, last_four = api_key.shown_parts(secret)
    shown = replace(old, id=key_id, prefix=prefix, last_four=last_four, makers=makers)
    return replace(shown, created_at=now, last_used_at=None, revoked_at=None)
