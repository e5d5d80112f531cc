"""Changing what a key may do: any credential that manages keys may narrow it, only its owner in person may widen it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, NotFound, PermissionDenied, invalid_parameter
from services.auth.keys.audit_events import key_event
from services.auth.keys.domain.api_key import ApiKey
from services.auth.keys.domain.key_order import KeyOrder, check_order
from services.auth.keys.store.api_keys import KeyStore, hold_key, update_key
from services.auth.shared.domain.audit import AuditAction
from services.auth.shared.domain.delegation import Asker, is_within
from services.auth.shared.domain.identifier import check_id
from services.auth.shared.in_person import InPerson
from services.auth.shared.store.accounts import lock_account
from services.auth.shared.store.makers import hold_maker
from services.auth.shared.store.narrowing import narrow_descendants
from services.auth.shared.store.unit_of_work import UnitOfWork, UnitsOfWork

# A key of 1.0 may have no name, or one that no new key may have: who does not rename it is not asked for another.
_A_NAME: Final = "-"
CHANGEABLE: Final = ("name", "scopes", "models", "ip_allow_list", "expires_at", "cache_ttl_s")


@dataclass(frozen=True, slots=True)
class KeyChange:
    """Changes of a key. `given` has some of CHANGEABLE; the rest stays unchanged."""

    user_id: str
    key_id: str
    given: Mapping[str, Any]


class KeyChanges:
    """Use cases of single keys."""

    def __init__(self, store: KeyStore, units: UnitsOfWork, in_person: InPerson, *, clock: Clock) -> None:
        self._store = store
        self._units = units
        self._in_person = in_person
        self._clock = clock

    async def get(self, user_id: str, key_id: str) -> ApiKey:
        """Return a user's key, whatever its state.

        Raises:
            NotFound: the user has no such key.
        """
        _check_ids(user_id, key_id)
        held = await self._store.find_by_id(user_id, key_id)
        if held is None:
            raise _absent()
        return held.key

    async def change(self, change: KeyChange, asker: Asker) -> ApiKey:
        """Change a live key; gateways follow within seconds.

        Raises:
            InvalidRequest: a field is wrong; it is named.
            NotFound: the user has no such key, or it ended.
            PermissionDenied: a credential asks for more than the key has, or the owner may not have such a key.
            Unauthenticated: the credential ended meanwhile, or nobody asks who may.
        """
        _check_ids(change.user_id, change.key_id)
        _check_given(change.given)
        await self._in_person.check(asker, change.user_id)
        return await self._units.run(_saving(change, asker))


def _saving(change: KeyChange, asker: Asker) -> Callable[[UnitOfWork], Any]:
    async def save(unit: UnitOfWork) -> ApiKey:
        async with unit.rows_of(change.user_id):
            owner = await lock_account(unit.connection, change.user_id)
            await hold_maker(unit, asker.maker, change.user_id)
            old = await hold_key(unit.connection, change.user_id, change.key_id, unit.at)
            if owner is None or not owner.is_usable or old is None:
                raise _absent()
            key = changed_key(old, change, unit, owner_is_admin=owner.is_admin)
            if asker.maker is not None and not is_within(key.powers, old.powers):
                text = "A credential only narrows a key: its owner widens it in the console, logged in."
                raise PermissionDenied(ErrorReason.PERMISSION_DENIED, text)
            await update_key(unit.connection, key)
        if not is_within(old.powers, key.powers):
            await narrow_descendants(unit, f"key:{key.id}", key.powers)
        unit.record(
            key_event(AuditAction.KEY_CHANGED, change.user_id, key.id, unit.at, fields=" ".join(sorted(change.given)))
        )
        return key

    return save


def changed_key(old: ApiKey, change: KeyChange, unit: UnitOfWork, *, owner_is_admin: bool) -> ApiKey:
    """Return the key as it will be stored.

    Raises:
        InvalidRequest: a field is wrong; it is named.
        PermissionDenied: the owner may not have such a key.
    """
    order = check_order(_order_of(old, change.given), unit.at, owner_is_admin=owner_is_admin)
    return replace(old, **{name: getattr(order, name) for name in change.given})


def _order_of(old: ApiKey, given: Mapping[str, Any]) -> KeyOrder:
    order = KeyOrder(
        user_id=old.user_id,
        name=_A_NAME,
        scopes=old.scopes,
        models=old.models,
        ip_allow_list=old.ip_allow_list,
        budget=old.budget,
        expires_at=old.expires_at,
        cache_ttl_s=old.cache_ttl_s,
    )
    return replace(order, **given)


def _check_given(given: Mapping[str, Any]) -> None:
    if not given or not set(given) <= set(CHANGEABLE):
        text = f"Name what to change: {', '.join(CHANGEABLE)}."
        raise invalid_parameter("changed", text)
    if not given.get("scopes", True):
        raise invalid_parameter("scopes", "Name the scopes of the key.")


def _check_ids(user_id: str, key_id: str) -> None:
    check_id(user_id, param="key_id", noun="key")
    check_id(key_id, param="key_id", noun="key")


def _absent() -> NotFound:
    return NotFound(ErrorReason.NOT_FOUND, "There is no such key.", param="key_id")
