"""/v1/admin: what administrators do with other people's accounts. Auth looks whether they are administrators."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request

from services.gateway.clients.administration import AdministrationClient
from services.gateway.edge.origin import origin_of
from services.gateway.edge.request_context import RequestContext, current_context
from services.gateway.identity.access import Needs, Scope
from services.gateway.identity.address_limit import OAuthLimit
from services.gateway.management.bodies import UserState

Asked = Annotated[RequestContext, Depends(current_context)]

NEEDS: Final[Needs] = {
    "POST /v1/admin/users/{user_id}/disable": Scope.ADMIN,
    "POST /v1/admin/users/{user_id}/enable": Scope.ADMIN,
}


def administration_router(administration: AdministrationClient, limit: OAuthLimit) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["administration"])

    async def switch(context: RequestContext, request: Request, user_id: str, *, disabled: bool) -> dict[str, Any]:
        origin = origin_of(request.scope, limit.address(request.scope))
        admin = context.known_caller.user_id
        await administration.set_disabled(admin, user_id, origin, context.call, disabled=disabled)
        return {"id": user_id, "disabled": disabled}

    @router.post("/v1/admin/users/{user_id}/disable", response_model=UserState)
    async def disable_user(context: Asked, request: Request, user_id: str) -> dict[str, Any]:
        """Shut an account: keys, sessions and tokens, on every gateway within a second."""
        return await switch(context, request, user_id, disabled=True)

    @router.post("/v1/admin/users/{user_id}/enable", response_model=UserState)
    async def enable_user(context: Asked, request: Request, user_id: str) -> dict[str, Any]:
        """Open an account again. Its keys and applications work as before; its login sessions are over."""
        return await switch(context, request, user_id, disabled=False)

    return router
