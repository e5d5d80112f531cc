"""/v1/clients: a user's own OAuth applications."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from services.gateway.authorization import Application, NewApplication
from services.gateway.clients.grants import GrantClient
from services.gateway.exchange import Exchange, current_exchange
from services.gateway.routes.manage_shapes import ClientList, ClientMade, ClientOrderBody, RevokedBody

Asked = Annotated[Exchange, Depends(current_exchange)]


def clients_router(grants: GrantClient) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["clients"])

    @router.get("/v1/clients", response_model=ClientList)
    async def list_clients(exchange: Asked) -> dict[str, Any]:
        """List the applications."""
        clients = await grants.list_clients(exchange.known_caller.user_id, exchange.call)
        return {"data": [client_body(client) for client in clients]}

    @router.post("/v1/clients", response_model=ClientMade, status_code=201)
    async def create_client(exchange: Asked, order: ClientOrderBody) -> dict[str, Any]:
        """Register an application. A secret is in this answer and nowhere else."""
        caller = exchange.known_caller
        wanted = NewApplication(
            order.name, order.confidential, tuple(order.redirect_uris), tuple(order.scopes), tuple(order.grant_types)
        )
        client, secret = await grants.create_client(caller.user_id, wanted, exchange.call, maker=caller)
        return {**client_body(client), "client_secret": secret or None}

    @router.delete("/v1/clients/{client_id}", response_model=RevokedBody)
    async def delete_client(exchange: Asked, client_id: str) -> dict[str, Any]:
        """End an application with all its grants."""
        await grants.delete_client(exchange.known_caller.user_id, client_id, exchange.call)
        return {"id": client_id}

    return router


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
        "created_at": client.created_at,
    }
