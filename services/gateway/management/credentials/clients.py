"""/v1/clients: a user's own OAuth applications."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends

from services.gateway.clients.grants import GrantClient
from services.gateway.clients.oauth_views import Application, NewApplication
from services.gateway.edge.reading.json_body import json_of
from services.gateway.edge.request_context import Context
from services.gateway.identity.access import Needs, Scope
from services.gateway.identity.step_up import StepUp
from services.gateway.management.bodies import ClientList, ClientMade, ClientOrderBody, RevokedBody

NEEDS: Final[Needs] = {
    "GET /v1/clients": Scope.CLIENTS_WRITE,
    "POST /v1/clients": Scope.CLIENTS_WRITE,
    "DELETE /v1/clients/{client_id}": Scope.CLIENTS_WRITE,
}


def clients_router(grants: GrantClient, step_up: StepUp) -> APIRouter:
    """Return the routes. Making an application needs a person's recent proof."""
    router = APIRouter(tags=["clients"])

    @router.get("/v1/clients", response_model=ClientList)
    async def list_clients(context: Context) -> dict[str, Any]:
        """List the applications."""
        clients = await grants.list_clients(context.known_caller.user_id, context.call)
        return {"data": [client_body(client) for client in clients]}

    @router.post("/v1/clients", response_model=ClientMade, status_code=201)
    async def create_client(
        context: Context, order: Annotated[ClientOrderBody, Depends(json_of(ClientOrderBody))]
    ) -> dict[str, Any]:
        """Register an application. A secret is in this answer and nowhere else."""
        caller = context.known_caller
        step_up.check(caller)
        client, secret = await grants.create_client(caller.user_id, order_of(order), context.call, maker=caller)
        return {**client_body(client), "client_secret": secret or None}

    @router.delete("/v1/clients/{client_id}", response_model=RevokedBody)
    async def delete_client(context: Context, client_id: str) -> dict[str, Any]:
        """End an application with all its grants."""
        await grants.delete_client(context.known_caller.user_id, client_id, context.call)
        return {"id": client_id}

    return router


def order_of(body: ClientOrderBody) -> NewApplication:
    """Return the order of a request body."""
    return NewApplication(
        name=body.name,
        confidential=body.confidential,
        redirect_uris=tuple(body.redirect_uris),
        scopes=tuple(body.scopes),
        grant_types=tuple(body.grant_types),
        dpop_bound=body.dpop_bound_access_tokens,
        requires_pushed=body.require_pushed_authorization_requests,
    )


def client_body(client: Application) -> dict[str, Any]:
    """Return an application as the API shows it."""
    return {
        "client_id": client.client_id,
        "name": client.name,
        "confidential": client.confidential,
        "redirect_uris": list(client.redirect_uris),
        "scopes": list(client.scopes),
        "grant_types": list(client.grant_types),
        "token_endpoint_auth_method": client.auth_method,
        "dpop_bound_access_tokens": client.dpop_bound,
        "require_pushed_authorization_requests": client.requires_pushed,
        "created_at": client.created_at,
        "disabled": client.disabled,
    }
