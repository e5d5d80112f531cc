"""/v1/admin: what administrators do with accounts and credentials of others. Auth looks whether they are some."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter

from services.gateway.clients.administration.client import AdministrationClient, Credential, Order
from services.gateway.edge.request_context import Context, RequestContext
from services.gateway.identity.access import Needs, Proven, Scope
from services.gateway.identity.address_limit import OAuthLimit
from services.gateway.management.bodies import SwitchedBody

# Accounts of 1.0 may have slashes in their ids.
NEEDS: Final[Needs] = {
    "POST /v1/admin/users/{user_id:path}/disable": Proven(Scope.ADMIN),
    "POST /v1/admin/users/{user_id:path}/enable": Proven(Scope.ADMIN),
    "POST /v1/admin/keys/{key_id}/disable": Proven(Scope.ADMIN),
    "POST /v1/admin/keys/{key_id}/enable": Proven(Scope.ADMIN),
    "POST /v1/admin/clients/{client_id}/disable": Proven(Scope.ADMIN),
    "POST /v1/admin/clients/{client_id}/enable": Proven(Scope.ADMIN),
    "POST /v1/admin/grants/{grant_id}/disable": Proven(Scope.ADMIN),
    "POST /v1/admin/grants/{grant_id}/enable": Proven(Scope.ADMIN),
}


class NotedOrders:
    """Has auth's audit log say what is ordered of another service, and by whom, before it is carried out."""

    def __init__(self, audit: AdministrationClient, limit: OAuthLimit) -> None:
        self._audit = audit
        self._limit = limit

    async def note(self, context: RequestContext, order: Order, subject: str, details: Mapping[str, str]) -> str:
        """Return who orders.

        Raises:
            PermissionDenied: who asks is no administrator.
        """
        origin = self._limit.origin(context.scope)
        admin = context.known_caller.user_id
        await self._audit.note_order(admin, order, subject, details, origin, context.call)
        return f"user:{admin}"


def administration_router(administration: AdministrationClient, limit: OAuthLimit) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["administration"])

    async def switch(context: RequestContext, user_id: str, *, disabled: bool) -> dict[str, Any]:
        origin = limit.origin(context.scope)
        admin = context.known_caller.user_id
        await administration.set_disabled(admin, user_id, origin, context.call, disabled=disabled)
        return {"id": user_id, "disabled": disabled}

    @router.post("/v1/admin/users/{user_id:path}/disable", response_model=SwitchedBody)
    async def disable_user(context: Context, user_id: str) -> dict[str, Any]:
        """Shut an account: keys, sessions and tokens, on every gateway within a second."""
        return await switch(context, user_id, disabled=True)

    @router.post("/v1/admin/users/{user_id:path}/enable", response_model=SwitchedBody)
    async def enable_user(context: Context, user_id: str) -> dict[str, Any]:
        """Open an account again. Its keys and applications work as before; its login sessions are over."""
        return await switch(context, user_id, disabled=False)

    return router


def credentials_router(administration: AdministrationClient, limit: OAuthLimit) -> APIRouter:
    """Return the routes that switch keys, applications and grants off and on."""
    router = APIRouter(tags=["administration"])

    async def switch(context: RequestContext, credential: tuple[Credential, str], *, disabled: bool) -> dict[str, Any]:
        origin = limit.origin(context.scope)
        admin = context.known_caller.user_id
        await administration.set_credential_disabled(admin, credential, origin, context.call, disabled=disabled)
        return {"id": credential[1], "disabled": disabled}

    @router.post("/v1/admin/keys/{key_id}/disable", response_model=SwitchedBody)
    async def disable_key(context: Context, key_id: str) -> dict[str, Any]:
        """Switch a key off, on every gateway within a second, with all that it made. It is not revoked."""
        return await switch(context, (Credential.KEY, key_id), disabled=True)

    @router.post("/v1/admin/keys/{key_id}/enable", response_model=SwitchedBody)
    async def enable_key(context: Context, key_id: str) -> dict[str, Any]:
        """Switch a key on again, with what was off because of it."""
        return await switch(context, (Credential.KEY, key_id), disabled=False)

    @router.post("/v1/admin/clients/{client_id}/disable", response_model=SwitchedBody)
    async def disable_client(context: Context, client_id: str) -> dict[str, Any]:
        """Switch an application off: its tokens, its refreshes, new authorizations."""
        return await switch(context, (Credential.CLIENT, client_id), disabled=True)

    @router.post("/v1/admin/clients/{client_id}/enable", response_model=SwitchedBody)
    async def enable_client(context: Context, client_id: str) -> dict[str, Any]:
        """Switch an application on again. Its users need not be asked again."""
        return await switch(context, (Credential.CLIENT, client_id), disabled=False)

    @router.post("/v1/admin/grants/{grant_id}/disable", response_model=SwitchedBody)
    async def disable_grant(context: Context, grant_id: str) -> dict[str, Any]:
        """Switch off what one user allowed one application. Allowing it once more does not help."""
        return await switch(context, (Credential.GRANT, grant_id), disabled=True)

    @router.post("/v1/admin/grants/{grant_id}/enable", response_model=SwitchedBody)
    async def enable_grant(context: Context, grant_id: str) -> dict[str, Any]:
        """Switch it on again."""
        return await switch(context, (Credential.GRANT, grant_id), disabled=False)

    return router
