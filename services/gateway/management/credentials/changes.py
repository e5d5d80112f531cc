"""One key, one application: looked at, changed, given a fresh secret. Auth refuses what would widen them unasked."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends

from services.gateway.clients.auth import AuthClient
from services.gateway.clients.caller import Caller
from services.gateway.clients.catalog import Catalog, CatalogWatch
from services.gateway.clients.grants import GrantClient
from services.gateway.edge.reading.json_body import invalid_field, json_of
from services.gateway.edge.request_context import Context
from services.gateway.identity.access import Needs, Scope
from services.gateway.identity.step_up import StepUp
from services.gateway.management.bodies import ClientMade, ClientOut, KeyOut
from services.gateway.management.credentials.change_bodies import (
    ClientChangeBody,
    ClientSecretRotationBody,
    KeyChangeBody,
)
from services.gateway.management.credentials.clients import client_body
from services.gateway.management.credentials.keys import cache_ttl_of, expiry_of, key_body, known_models
from services.gateway.settings import CacheSettings

KeyChange = Annotated[KeyChangeBody, Depends(json_of(KeyChangeBody))]
ClientChange = Annotated[ClientChangeBody, Depends(json_of(ClientChangeBody))]
Rotation = Annotated[ClientSecretRotationBody, Depends(json_of(ClientSecretRotationBody))]
KEY: Final = "/v1/keys/{key_id}"
CLIENT: Final = "/v1/clients/{client_id}"
# As auth calls them, where it calls them otherwise than the API.
CLIENT_FIELDS: Final = {
    "dpop_bound_access_tokens": "dpop_bound",
    "require_pushed_authorization_requests": "requires_pushed",
}

NEEDS: Final[Needs] = {
    f"GET {KEY}": Scope.KEYS_READ,
    f"PATCH {KEY}": Scope.KEYS_WRITE,
    f"PATCH {CLIENT}": Scope.CLIENTS_WRITE,
    f"POST {CLIENT}/rotate": Scope.CLIENTS_WRITE,
}


def key_changes_router(auth: AuthClient, catalog: CatalogWatch, step_up: StepUp, cache: CacheSettings) -> APIRouter:
    """Return the routes of one key."""
    router = APIRouter(tags=["keys"])

    @router.get(KEY, response_model=KeyOut)
    async def get_key(context: Context, key_id: str) -> dict[str, Any]:
        """Return one key, without its secret; also one that ended."""
        return key_body(await auth.get_key(context.known_caller.user_id, key_id, context.call))

    @router.patch(KEY, response_model=KeyOut)
    async def change_key(context: Context, key_id: str, change: KeyChange) -> dict[str, Any]:
        """Change what is given of a key; every gateway follows within five seconds. Budgets are at /v1/budgets."""
        caller = context.known_caller
        step_up.check(caller)
        given = key_fields(change, catalog.current(), caller, cache.most_ttl_s)
        return key_body(await auth.change_key(caller.user_id, key_id, given, context.call, maker=caller))

    return router


def client_changes_router(grants: GrantClient, step_up: StepUp) -> APIRouter:
    """Return the routes of one application."""
    router = APIRouter(tags=["clients"])

    @router.patch(CLIENT, response_model=ClientOut)
    async def change_client(context: Context, client_id: str, change: ClientChange) -> dict[str, Any]:
        """Change what is given of an application. Those who let it in keep what they agreed to."""
        caller = context.known_caller
        step_up.check(caller)
        said = change.model_dump(exclude_none=True)
        given = {CLIENT_FIELDS.get(name, name): value for name, value in said.items()}
        if not given:
            raise invalid_field("name", "Give at least one field to change")
        return client_body(await grants.change_client(caller.user_id, client_id, given, context.call, maker=caller))

    @router.post(CLIENT + "/rotate", response_model=ClientMade)
    async def rotate_client_secret(context: Context, client_id: str, rotation: Rotation) -> dict[str, Any]:
        """Give a confidential application a fresh secret; the one before works for `overlap_s` seconds more."""
        caller = context.known_caller
        step_up.check(caller)
        client, secret = await grants.rotate_secret(
            caller.user_id, client_id, rotation.overlap_s, context.call, maker=caller
        )
        return {**client_body(client), "client_secret": secret}

    return router


def key_fields(change: KeyChangeBody, catalog: Catalog, caller: Caller, most_ttl_s: int) -> dict[str, Any]:
    """Return the fields that a body gives, as auth calls them.

    Raises:
        InvalidRequest: there is none, a model is unknown, or a moment has no time zone.
    """
    given: dict[str, Any] = change.model_dump(include={"name", "scopes", "ip_allow_list"}, exclude_none=True)
    if change.models is not None:
        given["models"] = known_models(change.models, catalog, caller)
    if "expires_at" in change.model_fields_set:
        given["expires_at"] = expiry_of(change.expires_at)
    if change.cache is not None:
        given["cache_ttl_s"] = cache_ttl_of(change.cache, most_ttl_s)
    if not given:
        raise invalid_field("name", "Give at least one field to change")
    return given
