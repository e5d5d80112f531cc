"""Changing applications and their secrets: credentials may narrow them, only the owner in person may widen them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from servicekit.errors import ErrorReason, NotFound, PermissionDenied, invalid_parameter
from services.auth.oauth.audit_events import audit_event
from services.auth.oauth.domain.client import Client
from services.auth.oauth.domain.client_order import CLIENT_ID, ClientOrder, check_client_order, refused_field
from services.auth.oauth.domain.refusal import OAuthRefusal
from services.auth.oauth.domain.token import SecretKind, digest, new_secret
from services.auth.oauth.store.clients import hold_own_client, update_client, update_secret
from services.auth.shared.domain.audit import AuditAction
from services.auth.shared.domain.delegation import (
    Asker,
    Authority,
    Delegation,
    Made,
    Powers,
    delegate,
    is_within,
    makers_of,
)
from services.auth.shared.domain.identifier import check_id
from services.auth.shared.domain.overlap import check_overlap
from services.auth.shared.in_person import InPerson
from services.auth.shared.store.accounts import lock_account
from services.auth.shared.store.makers import hold_maker
from services.auth.shared.store.narrowing import narrow_descendants
from services.auth.shared.store.unit_of_work import UnitOfWork, UnitsOfWork

CHANGEABLE: Final = ("name", "redirect_uris", "scopes", "dpop_bound", "requires_pushed")


@dataclass(frozen=True, slots=True)
class ClientChange:
    """Changes of an application. `given` has some of CHANGEABLE; the rest stays unchanged."""

    owner_user_id: str
    client_id: str
    given: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FreshSecret:
    """An application with its new secret, which is returned only here."""

    client: Client
    secret: str

    def __repr__(self) -> str:
        return f"FreshSecret(id={self.client.id})"


@dataclass(frozen=True, slots=True)
class _Held:
    """An application that is being changed, and who changes it."""

    client: Client
    maker: Authority | None
    owner_is_admin: bool


class ClientChanges:
    """Use cases of single applications."""

    def __init__(self, units: UnitsOfWork, in_person: InPerson) -> None:
        self._units = units
        self._in_person = in_person

    async def change(self, change: ClientChange, asker: Asker) -> Client:
        """Change an application of its owner's.

        Raises:
            InvalidRequest: a field is wrong; it is named.
            NotFound: they have no such application.
            PermissionDenied: a credential asks for more than it has, or the owner may not have such an application.
            Unauthenticated: the credential ended meanwhile, or nobody asks who may.
        """
        _check_ids(change.owner_user_id, change.client_id)
        if not change.given or not set(change.given) <= set(CHANGEABLE):
            raise invalid_parameter("changed", f"Name what to change: {', '.join(CHANGEABLE)}.")
        await self._in_person.check(asker, change.owner_user_id)

        async def save(unit: UnitOfWork) -> Client:
            async with unit.rows_of(change.owner_user_id):
                held = await _hold(unit, change.owner_user_id, change.client_id, asker)
                client = _changed(held, change.given)
                await update_client(unit.connection, client)
            if held.client.scopes - client.scopes:
                await narrow_descendants(unit, f"client:{client.id}", client.powers)
            fields = " ".join(sorted(change.given))
            _record(unit, AuditAction.CLIENT_CHANGED, client, fields=fields)
            return client

        return await self._units.run(save)

    async def rotate_secret(self, owner_user_id: str, client_id: str, overlap_s: int, asker: Asker) -> FreshSecret:
        """Give a confidential application a fresh secret; the one before works for `overlap_s` seconds more.

        Raises:
            InvalidRequest: the overlap is out of bounds, or the application is public.
            NotFound: they have no such application.
            PermissionDenied: the credential that asks could not make such an application.
            Unauthenticated: it ended meanwhile, or nobody asks who may.
        """
        _check_ids(owner_user_id, client_id)
        check_overlap(overlap_s)
        await self._in_person.check(asker, owner_user_id)
        secret = new_secret(SecretKind.CLIENT_SECRET)

        async def save(unit: UnitOfWork) -> Client:
            async with unit.rows_of(owner_user_id):
                held = await _hold(unit, owner_user_id, client_id, asker)
                client = _with_secret(held, secret, overlap_s, unit)
                await update_secret(unit.connection, client)
            _record(unit, AuditAction.CLIENT_SECRET_ROTATED, client, overlap_s=str(overlap_s))
            return client

        return FreshSecret(await self._units.run(save), secret)


async def _hold(unit: UnitOfWork, owner_user_id: str, client_id: str, asker: Asker) -> _Held:
    owner = await lock_account(unit.connection, owner_user_id)
    maker = await hold_maker(unit, asker.maker, owner_user_id)
    client = await hold_own_client(unit.connection, owner_user_id, client_id, unit.at)
    if owner is None or not owner.is_usable or client is None:
        raise _absent()
    return _Held(client, maker, owner.is_admin)


def _changed(held: _Held, given: Mapping[str, Any]) -> Client:
    old, new = held.client, replace(held.client, **given)
    try:
        check_client_order(_order_of(new), private_schemes=True)
    except OAuthRefusal as refusal:
        raise invalid_parameter(refused_field(refusal), refusal.description) from refusal
    if not new.scopes:
        raise invalid_parameter("scopes", "Name the scopes of the application.")
    # An administrator's scope is for administrators' applications.
    delegate(Delegation(Made.CLIENT, Powers(new.scopes), None, held.owner_is_admin))
    if held.maker is not None and not _is_less(new, old):
        text = "A credential only narrows an application: its owner widens it in the console, logged in."
        raise PermissionDenied(ErrorReason.PERMISSION_DENIED, text)
    return new


def _is_less(new: Client, old: Client) -> bool:
    same_proofs = new.dpop_bound >= old.dpop_bound and new.requires_pushed >= old.requires_pushed
    return same_proofs and set(new.redirect_uris) <= set(old.redirect_uris) and is_within(new.powers, old.powers)


def _with_secret(held: _Held, secret: str, overlap_s: int, unit: UnitOfWork) -> Client:
    client = held.client
    if not client.is_confidential:
        raise invalid_parameter("client_id", "A public application has no secret.")
    # With its secret the application acts in its own name: as of keys, nobody gets more than they have.
    delegate(Delegation(Made.CLIENT, client.powers, held.maker, held.owner_is_admin))
    return replace(
        client,
        secret_hash=digest(secret),
        previous_secret_hash=client.secret_hash if overlap_s else None,
        previous_secret_until=unit.at + timedelta(seconds=overlap_s) if overlap_s else None,
        makers=makers_of(held.maker, *client.makers),
    )


def _order_of(client: Client) -> ClientOrder:
    return ClientOrder(
        name=client.name,
        is_confidential=client.is_confidential,
        redirect_uris=client.redirect_uris,
        scopes=client.scopes,
        grant_types=client.grant_types,
        auth_method=None,
        owner_user_id=client.owner_user_id,
        client_uri=client.client_uri,
    )


def _record(unit: UnitOfWork, action: AuditAction, client: Client, **details: str) -> None:
    actor, subject = f"user:{client.owner_user_id}", f"client:{client.id}"
    unit.record(audit_event(action, unit.at, actor=actor, subject=subject, **details))


def _check_ids(owner_user_id: str, client_id: str) -> None:
    check_id(owner_user_id, param="client_id", noun="application")
    if not CLIENT_ID.fullmatch(client_id):
        raise _absent()


def _absent() -> NotFound:
    return NotFound(ErrorReason.NOT_FOUND, "There is no such application.", param="client_id")
