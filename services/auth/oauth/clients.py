"""Registering, finding, listing and deleting applications."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, NotFound, invalid_parameter
from services.auth.oauth import metrics
from services.auth.oauth.audit_events import audit_event
from services.auth.oauth.domain.client import BUILT_IN, Client, is_secret_of
from services.auth.oauth.domain.client_order import (
    CLIENT_ID,
    ClientOrder,
    as_metadata,
    check_client_order,
    delegated,
    order_from_metadata,
    refused_field,
)
from services.auth.oauth.domain.refusal import OAuthError, OAuthRefusal
from services.auth.oauth.domain.token import SecretKind, digest, new_secret
from services.auth.oauth.store.clients import ClientStore, count_clients, end_client, insert_client
from services.auth.shared.domain.account import Account
from services.auth.shared.domain.audit import AuditAction
from services.auth.shared.domain.bounds import Bounds, check_room
from services.auth.shared.domain.delegation import Asker, Authority
from services.auth.shared.domain.identifier import check_id
from services.auth.shared.domain.revocation import RevokedKind
from services.auth.shared.in_person import InPerson
from services.auth.shared.store.accounts import AccountStore, lock_account
from services.auth.shared.store.makers import hold_maker
from services.auth.shared.store.named_user import EVERYBODY
from services.auth.shared.store.unit_of_work import UnitOfWork, UnitsOfWork

ID_PREFIX: Final = "rz_app_"
ADMINISTRATOR: Final = "administrator"


@dataclass(frozen=True, slots=True)
class NewClient:
    """A new application with its secret, which is returned only here; empty for public ones."""

    client: Client
    secret: str

    def __repr__(self) -> str:
        return f"NewClient(id={self.client.id})"


class Clients:
    """Use cases of applications."""

    def __init__(
        self,
        store: ClientStore,
        accounts: AccountStore,
        units: UnitsOfWork,
        in_person: InPerson,
        *,
        bounds: Bounds,
        registration_token: str,
        clock: Clock,
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._units = units
        self._in_person = in_person
        self._bounds = bounds
        self._registration_token = registration_token
        self._clock = clock

    async def find(self, client_id: str | None) -> Client | None:
        """Return the application; None also for what cannot be an id, and for what is disabled or over."""
        if client_id is None or not CLIENT_ID.fullmatch(client_id):
            return None
        client = await self._store.find(client_id)
        over = client is None or client.is_disabled or client.is_expired(self._clock.now())
        return None if over else client

    def is_secret_of(self, client: Client | None, secret: str) -> bool:
        """Tell in constant time whether this is a secret of the client's that works now."""
        return is_secret_of(client, secret, self._clock.now())

    async def register(self, metadata_json: str, authorization: str) -> dict[str, Any] | OAuthRefusal:
        """Answer the registration endpoint (RFC 7591): an application registers itself."""
        try:
            return await self._register(metadata_json, authorization)
        except OAuthRefusal as refusal:
            return refusal

    async def _register(self, metadata_json: str, authorization: str) -> dict[str, Any]:
        scheme, _, token = authorization.partition(" ")
        genuine = hmac.compare_digest(digest(token.strip()), digest(self._registration_token))
        if not self._registration_token:
            raise OAuthRefusal(OAuthError.ACCESS_DENIED, "Clients cannot register themselves here.", http_status=403)
        if scheme.lower() != "bearer" or not genuine:
            raise OAuthRefusal(OAuthError.INVALID_TOKEN, "The initial access token is not valid.", http_status=401)
        new = await self._insert(order_from_metadata(metadata_json), "", "dynamic", None, owner_is_admin=False)
        return as_metadata(new.client, new.secret)

    async def create(self, order: ClientOrder, client_id: str, asker: Asker) -> NewClient:
        """Register an application for its owner, or for an administrator when there is none.

        Raises:
            InvalidRequest: a field is wrong.
            PermissionDenied: neither its owner nor the credential that asks may have such an application.
            Conflict: the id is taken, or the owner has as many as there may be.
            NotFound: there is no such owner.
            Unauthenticated: the credential that asks ended meanwhile, or nobody asks who may.
        """
        if client_id and not CLIENT_ID.fullmatch(client_id):
            raise invalid_parameter("client_id", "A client id has 1 to 128 of A-Z a-z 0-9 . _ ~ -")
        try:
            checked = check_client_order(order, private_schemes=True)
        except OAuthRefusal as refusal:
            raise invalid_parameter(refused_field(refusal), refusal.description) from refusal
        await self._in_person.check(asker, order.owner_user_id or "")
        if order.owner_user_id is None:
            return await self._insert(checked, client_id, ADMINISTRATOR, None, owner_is_admin=True)
        owner = await self._owner(order.owner_user_id)
        return await self._insert(checked, client_id, "owner", asker.maker, owner_is_admin=owner.is_admin)

    async def list_of(self, owner_user_id: str) -> list[Client]:
        """Return a user's applications, newest first; with no user everybody's."""
        if owner_user_id:
            check_id(owner_user_id, param="owner_user_id", noun="user")
        return await self._store.list_of(owner_user_id or None, self._clock.now())

    async def delete(self, owner_user_id: str, client_id: str) -> None:
        """End an application with all its grants; with no user as an administrator.

        Raises:
            NotFound: there is no such application, or it is somebody else's.
        """
        if owner_user_id:
            check_id(owner_user_id, param="client_id", noun="application")
        deletable = CLIENT_ID.fullmatch(client_id) and client_id not in BUILT_IN
        if not deletable or not await self._units.run(partial(_delete, owner_user_id, client_id)):
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such application.", param="client_id")
        metrics.REVOCATIONS.labels(RevokedKind.CLIENT.value).inc()

    async def _owner(self, owner_user_id: str) -> Account:
        check_id(owner_user_id, param="owner_user_id", noun="user")
        owner = await self._accounts.find_usable(owner_user_id)
        if owner is None:
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such user.", param="owner_user_id")
        return owner

    async def _check_room(self, unit: UnitOfWork, owner_user_id: str) -> None:
        # One registration at a time: two at once cannot both be the last.
        owner = await lock_account(unit.connection, owner_user_id)
        if owner is None or not owner.is_usable:
            # Shut meanwhile: what is made now would be on while its owner is off.
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such user.", param="owner_user_id")
        there = await count_clients(unit.connection, owner_user_id, unit.at)
        check_room(there, self._bounds.clients, "applications")

    async def _insert(
        self, order: ClientOrder, client_id: str, how: str, claimed: Authority | None, *, owner_is_admin: bool
    ) -> NewClient:
        secret = new_secret(SecretKind.CLIENT_SECRET) if order.is_confidential else ""
        name, secret_hash = client_id or ID_PREFIX + secrets.token_hex(12), digest(secret) if secret else None
        actor = f"user:{order.owner_user_id}" if order.owner_user_id else how

        async def insert(unit: UnitOfWork) -> Client:
            async with unit.rows_of(order.owner_user_id or EVERYBODY):
                if order.owner_user_id is not None:
                    await self._check_room(unit, order.owner_user_id)
                maker = await hold_maker(unit, claimed, order.owner_user_id or "")
                bounded = delegated(order, maker, owner_is_admin=owner_is_admin)
                client = bounded.becomes(name, secret_hash, unit.at)
                await insert_client(unit.connection, client)
            subject = f"client:{client.id}"
            unit.record(audit_event(AuditAction.CLIENT_REGISTERED, unit.at, actor=actor, subject=subject, how=how))
            return client

        client = await self._units.run(insert)
        metrics.CLIENTS_REGISTERED.labels(how).inc()
        return NewClient(client, secret)


async def _delete(owner_user_id: str, client_id: str, unit: UnitOfWork) -> bool:
    if not await end_client(unit, client_id, owner_user_id or None):
        return False
    actor = f"user:{owner_user_id}" if owner_user_id else ADMINISTRATOR
    unit.record(audit_event(AuditAction.CLIENT_DELETED, unit.at, actor=actor, subject=f"client:{client_id}"))
    return True
