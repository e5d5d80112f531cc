"""/v1/admin/providers: circuits, drains, past statuses. Auth notes an order, and who gives it, before it counts."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query

from services.gateway.clients.administration.client import AdministrationClient, Order
from services.gateway.clients.router.administration import (
    CircuitState,
    DrainOrder,
    ProviderAdministrationClient,
    ProviderScope,
)
from services.gateway.edge.reading.json_body import json_of
from services.gateway.edge.request_context import Context, RequestContext
from services.gateway.identity.access import Needs, Scope
from services.gateway.identity.address_limit import OAuthLimit
from services.gateway.management.administration import NotedOrders
from services.gateway.management.provider_bodies import (
    CircuitList,
    DrainedBody,
    DrainOrderBody,
    PastStatusList,
    ResetBody,
    ScopeOrderBody,
)

Name = Annotated[str, Query(max_length=128)]

NEEDS: Final[Needs] = {
    "GET /v1/admin/providers/circuits": Scope.ADMIN,
    "GET /v1/admin/providers/history": Scope.ADMIN,
    "POST /v1/admin/providers/{provider}/drain": Scope.ADMIN,
    "POST /v1/admin/providers/{provider}/undrain": Scope.ADMIN,
    "POST /v1/admin/providers/{provider}/reset": Scope.ADMIN,
}


class ProviderOrders:
    """Has an order noted, then carried out."""

    def __init__(self, audit: AdministrationClient, providers: ProviderAdministrationClient, limit: OAuthLimit) -> None:
        self._orders = NotedOrders(audit, limit)
        self._providers = providers

    async def drain(self, context: RequestContext, scope: ProviderScope, reason: str, *, drained: bool) -> None:
        """Stop sending somewhere, or go on."""
        by = await self._note(context, Order.DRAIN if drained else Order.UNDRAIN, scope, reason)
        await self._providers.set_drained(scope, reason, by, context.call, drained=drained)

    async def reset(self, context: RequestContext, scope: ProviderScope) -> list[ProviderScope]:
        """Close circuits."""
        await self._note(context, Order.RESET, scope, "")
        return await self._providers.reset(scope, context.call)

    async def _note(self, context: RequestContext, order: Order, scope: ProviderScope, reason: str) -> str:
        details = {"credential": scope.credential, "model": scope.model, "reason": reason}
        given = {name: value for name, value in details.items() if value}
        return await self._orders.note(context, order, f"provider:{scope.provider}", given)


def provider_routers(
    audit: AdministrationClient, providers: ProviderAdministrationClient, limit: OAuthLimit
) -> tuple[APIRouter, ...]:
    """Return the routes."""
    return provider_views_router(providers), provider_orders_router(audit, providers, limit)


def provider_orders_router(
    audit: AdministrationClient, providers: ProviderAdministrationClient, limit: OAuthLimit
) -> APIRouter:
    """Return the routes that change something."""
    router = APIRouter(tags=["administration"])
    orders = ProviderOrders(audit, providers, limit)

    @router.post("/v1/admin/providers/{provider}/drain", response_model=DrainedBody)
    async def drain(
        context: Context, provider: str, order: Annotated[DrainOrderBody, Depends(json_of(DrainOrderBody))]
    ) -> dict[str, Any]:
        """Send nothing more to a provider, or to one credential or model of it, on all routers within a second."""
        scope = ProviderScope(provider, order.credential, order.model)
        await orders.drain(context, scope, order.reason, drained=True)
        return {**scope_body(scope), "drained": True}

    @router.post("/v1/admin/providers/{provider}/undrain", response_model=DrainedBody)
    async def undrain(
        context: Context, provider: str, order: Annotated[ScopeOrderBody, Depends(json_of(ScopeOrderBody))]
    ) -> dict[str, Any]:
        """Take a drain of exactly this scope back."""
        scope = ProviderScope(provider, order.credential, order.model)
        await orders.drain(context, scope, "", drained=False)
        return {**scope_body(scope), "drained": False}

    @router.post("/v1/admin/providers/{provider}/reset", response_model=ResetBody)
    async def reset(
        context: Context, provider: str, order: Annotated[ScopeOrderBody, Depends(json_of(ScopeOrderBody))]
    ) -> dict[str, Any]:
        """Close the open circuits of a provider and end its pauses: the next call is made as if nothing had been."""
        closed = await orders.reset(context, ProviderScope(provider, order.credential, order.model))
        return {"reset": [scope_body(scope) for scope in closed]}

    return router


def provider_views_router(providers: ProviderAdministrationClient) -> APIRouter:
    """Return the routes that only look."""
    router = APIRouter(tags=["administration"])

    @router.get("/v1/admin/providers/circuits", response_model=CircuitList)
    async def list_circuits(context: Context) -> dict[str, Any]:
        """List the circuits of credentials and models that were asked since a router started, and every drain."""
        circuits, drains = await providers.circuits(context.call)
        return {"data": list(map(circuit_body, circuits)), "drains": list(map(drain_body, drains))}

    @router.get("/v1/admin/providers/history", response_model=PastStatusList)
    async def list_history(
        context: Context, provider: Name = "", model: Name = "", limit: Annotated[int, Query(ge=1, le=1000)] = 100
    ) -> dict[str, Any]:
        """List the statuses of models as they began, newest first."""
        found = await providers.history(provider, model, limit, context.call)
        return {
            "data": [
                {
                    "provider": each.provider,
                    "model": each.model,
                    "status": each.status,
                    "reason": each.reason or None,
                    "success_rate": round(1 - each.error_rate, 4),
                    "began_at": each.began_at,
                }
                for each in found
            ]
        }

    return router


def scope_body(scope: ProviderScope) -> dict[str, Any]:
    """Return a scope as the API shows it: null stands for all."""
    return {"provider": scope.provider, "credential": scope.credential or None, "model": scope.model or None}


def circuit_body(circuit: CircuitState) -> dict[str, Any]:
    """Return a circuit as the API shows it."""
    return {
        **scope_body(circuit.target),
        "state": circuit.state,
        "cause": circuit.cause or None,
        "since": circuit.since,
        "until": circuit.until,
        "openings": circuit.openings,
        "cooling_until": circuit.cooling_until,
        "drained": circuit.drained,
    }


def drain_body(drain: DrainOrder) -> dict[str, Any]:
    """Return a drain as the API shows it."""
    return {**scope_body(drain.scope), "reason": drain.reason, "by": drain.by, "at": drain.at}
