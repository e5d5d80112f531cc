"""/v1/admin/catalog: overrides, prices, channels. Auth notes an order, and who gives it, before it counts."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query

from services.gateway.clients.administration.client import AdministrationClient, Order
from services.gateway.clients.router.catalog_administration import (
    CatalogAdministrationClient,
    CatalogOverride,
    CatalogPrice,
)
from services.gateway.edge.reading.json_body import json_of
from services.gateway.edge.request_context import Context, RequestContext
from services.gateway.identity.access import Needs, Proven, Scope
from services.gateway.identity.address_limit import OAuthLimit
from services.gateway.management.administration import NotedOrders
from services.gateway.management.catalog_bodies import (
    DatedPriceBody,
    MovedBody,
    MoveOrderBody,
    OverrideBody,
    OverrideList,
    OverrideOrderBody,
    PriceList,
    PriceOrderBody,
    RemovedOverrideBody,
)

OVERRIDES: Final = "/v1/admin/catalog/overrides"
# Models of upstreams may have slashes in their ids.
OVERRIDE: Final = f"{OVERRIDES}/{{model_id:path}}"
PRICES: Final = "/v1/admin/catalog/prices"
CHANNEL: Final = "/v1/admin/catalog/channels/{channel}"

NEEDS: Final[Needs] = {
    f"GET {OVERRIDES}": Scope.ADMIN,
    f"PUT {OVERRIDE}": Scope.ADMIN,
    f"DELETE {OVERRIDE}": Scope.ADMIN,
    f"GET {PRICES}": Scope.ADMIN,
    f"POST {PRICES}": Proven(Scope.ADMIN),
    f"POST {CHANNEL}": Proven(Scope.ADMIN),
}


class CatalogOrders:
    """Has an order noted, then carried out."""

    def __init__(self, audit: AdministrationClient, catalog: CatalogAdministrationClient, limit: OAuthLimit) -> None:
        self._orders = NotedOrders(audit, limit)
        self._catalog = catalog

    async def set_override(self, context: RequestContext, model: str, patch: dict[str, Any]) -> CatalogOverride:
        """Have a model differ from its file."""
        details = {name: str(value)[:500] for name, value in patch.items()}
        by = await self._note(context, Order.SET_OVERRIDE, f"model:{model}", details)
        return await self._catalog.set_override(model, patch, by, context.call)

    async def remove_override(self, context: RequestContext, model: str) -> None:
        """Have a model be as its file says."""
        by = await self._note(context, Order.REMOVE_OVERRIDE, f"model:{model}", {})
        await self._catalog.remove_override(model, by, context.call)

    async def add_price(self, context: RequestContext, order: PriceOrderBody) -> CatalogPrice:
        """Have a model cost something else from a moment to come."""
        given = order.model_dump(mode="json", exclude={"model"}, exclude_none=True)
        details = {name: str(value) for name, value in given.items() if value}
        by = await self._note(context, Order.ADD_PRICE, f"model:{order.model}", details)
        price = CatalogPrice(
            order.model,
            order.valid_from,
            input=_micro(order.input),
            output=_micro(order.output),
            cached=_micro(order.input if order.cached is None else order.cached),
            source=order.source,
            by=by,
        )
        return await self._catalog.add_price(price, context.call)

    async def move_channel(self, context: RequestContext, channel: str, order: MoveOrderBody) -> str:
        """Have a channel stand for another model from a moment to come."""
        details = {"model": order.model, "since": order.since.isoformat()}
        by = await self._note(context, Order.MOVE_CHANNEL, f"channel:{channel}", details)
        return await self._catalog.move_channel(channel, order.model, order.since, by, context.call)

    async def _note(self, context: RequestContext, order: Order, subject: str, details: dict[str, str]) -> str:
        return await self._orders.note(context, order, subject[:200], details)


def catalog_routers(
    audit: AdministrationClient, catalog: CatalogAdministrationClient, limit: OAuthLimit
) -> tuple[APIRouter, ...]:
    """Return the routes."""
    orders = CatalogOrders(audit, catalog, limit)
    return catalog_views_router(catalog), override_orders_router(orders), dated_orders_router(orders)


def catalog_views_router(catalog: CatalogAdministrationClient) -> APIRouter:
    """Return the routes that only look."""
    router = APIRouter(tags=["administration"])

    @router.get(OVERRIDES, response_model=OverrideList)
    async def list_overrides(context: Context) -> dict[str, Any]:
        """List what differs from the catalogue's files, and the last orders about it."""
        found, history = await catalog.overrides(context.call)
        return {"data": list(map(override_body, found)), "history": list(map(override_body, history))}

    @router.get(PRICES, response_model=PriceList)
    async def list_prices(
        context: Context, model: Annotated[str, Query(min_length=1, max_length=128)]
    ) -> dict[str, Any]:
        """List the prices of a model, past and to come, those of the catalogue's files too."""
        return {"data": list(map(price_body, await catalog.prices(model, context.call)))}

    return router


def override_orders_router(orders: CatalogOrders) -> APIRouter:
    """Return the routes that change overrides."""
    router = APIRouter(tags=["administration"])

    @router.put(OVERRIDE, response_model=OverrideBody)
    async def set_override(
        context: Context, model_id: str, order: Annotated[OverrideOrderBody, Depends(json_of(OverrideOrderBody))]
    ) -> dict[str, Any]:
        """Have a model differ from its file by exactly this, on all routers within a second."""
        patch = order.model_dump(mode="json", exclude_unset=True)
        return override_body(await orders.set_override(context, model_id, patch))

    @router.delete(OVERRIDE, response_model=RemovedOverrideBody)
    async def remove_override(context: Context, model_id: str) -> dict[str, Any]:
        """Have a model be as its file says, on all routers within a second."""
        await orders.remove_override(context, model_id)
        return {"model": model_id, "removed": True}

    return router


def dated_orders_router(orders: CatalogOrders) -> APIRouter:
    """Return the routes whose orders count from a moment to come."""
    router = APIRouter(tags=["administration"])

    @router.post(PRICES, response_model=DatedPriceBody)
    async def add_price(
        context: Context, order: Annotated[PriceOrderBody, Depends(json_of(PriceOrderBody))]
    ) -> dict[str, Any]:
        """Have a model, and the channels that stand for it, cost something else from a moment to come."""
        return price_body(await orders.add_price(context, order))

    @router.post(CHANNEL, response_model=MovedBody)
    async def move_channel(
        context: Context, channel: str, order: Annotated[MoveOrderBody, Depends(json_of(MoveOrderBody))]
    ) -> dict[str, Any]:
        """Have a channel stand for another model of its provider from a moment to come."""
        id = await orders.move_channel(context, channel, order)
        return {"channel": id, "model": order.model, "since": order.since}

    return router


def override_body(override: CatalogOverride) -> dict[str, Any]:
    """Return an override as the API shows it."""
    return {"model": override.model, "patch": override.patch, "by": override.by, "at": override.at}


def price_body(price: CatalogPrice) -> dict[str, Any]:
    """Return a price as the API shows it, in roubles."""
    return {
        "model": price.model,
        "version": price.version,
        "valid_from": price.valid_from,
        "input": _roubles(price.input),
        "output": _roubles(price.output),
        "cached": _roubles(price.cached),
        "source": price.source or None,
        "by": price.by or None,
        "at": price.at,
    }


def _micro(roubles: Decimal) -> int:
    return int(roubles * 1_000_000)


def _roubles(micro: int) -> str:
    return f"{(Decimal(micro) / 1_000_000).normalize():f}"
