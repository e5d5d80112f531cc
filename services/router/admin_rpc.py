"""RouterAdminService over gRPC: decode, call, encode; no rules."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, TypeAlias

import grpc
from razvilka.router.v1 import admin_pb2 as pb
from razvilka.router.v1 import admin_pb2_grpc

from servicekit.timestamps import timestamp_from_proto
from services.router.catalog.administration import CatalogAdministration, patch_of
from services.router.circuits.domain.news import CircuitView, Drain
from services.router.circuits.domain.target import Target
from services.router.domain.catalog import Price
from services.router.domain.overrides import Move, PatchOrder, PriceOrder
from services.router.status.administration import ProviderAdministration
from services.router.status.domain.health import ModelHealth

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class RouterAdminServicer(admin_pb2_grpc.RouterAdminServiceServicer):
    """Implements RouterAdminService of razvilka.router.v1."""

    def __init__(self, providers: ProviderAdministration, catalog: CatalogAdministration) -> None:
        self._providers = providers
        self._catalog = catalog

    async def ListCircuits(self, request: pb.ListCircuitsRequest, context: Context) -> pb.ListCircuitsResponse:
        """Return circuits and drains."""
        circuits, drains = await self._providers.circuits()
        return pb.ListCircuitsResponse(circuits=map(_circuit_to_proto, circuits), drains=map(_drain_to_proto, drains))

    async def ResetCircuits(self, request: pb.ResetCircuitsRequest, context: Context) -> pb.ResetCircuitsResponse:
        """Close circuits."""
        return pb.ResetCircuitsResponse(reset=map(_scope_to_proto, self._providers.reset(_scope(request.scope))))

    async def SetDrained(self, request: pb.SetDrainedRequest, context: Context) -> pb.SetDrainedResponse:
        """Stop sending somewhere, or go on."""
        if request.drained:
            await self._providers.drain(_scope(request.scope), request.reason, request.drained_by)
        else:
            await self._providers.undrain(_scope(request.scope))
        return pb.SetDrainedResponse()

    async def ListStatusHistory(
        self, request: pb.ListStatusHistoryRequest, context: Context
    ) -> pb.ListStatusHistoryResponse:
        """Return past statuses."""
        found = await self._providers.history(request.provider, request.model, request.limit)
        return pb.ListStatusHistoryResponse(statuses=map(_past_to_proto, found))

    async def ListOverrides(self, request: pb.ListOverridesRequest, context: Context) -> pb.ListOverridesResponse:
        """Return what differs from the files, and the orders about it."""
        overrides, history = await self._catalog.overrides()
        return pb.ListOverridesResponse(
            overrides=map(_override_to_proto, overrides), history=map(_override_to_proto, history)
        )

    async def SetOverride(self, request: pb.SetOverrideRequest, context: Context) -> pb.SetOverrideResponse:
        """Have a model differ from its file."""
        found = await self._catalog.set_override(request.model, patch_of(request.patch_json), request.ordered_by)
        return pb.SetOverrideResponse(override=_override_to_proto(found))

    async def RemoveOverride(self, request: pb.RemoveOverrideRequest, context: Context) -> pb.RemoveOverrideResponse:
        """Have a model be as its file says."""
        await self._catalog.remove_override(request.model, request.ordered_by)
        return pb.RemoveOverrideResponse()

    async def ListPrices(self, request: pb.ListPricesRequest, context: Context) -> pb.ListPricesResponse:
        """Return the prices of a model."""
        found = await self._catalog.prices(request.model)
        return pb.ListPricesResponse(prices=[_price_to_proto(request.model, order) for order in found])

    async def AddPrice(self, request: pb.AddPriceRequest, context: Context) -> pb.AddPriceResponse:
        """Have a model cost something else from a moment to come."""
        given = request.price
        order = await self._catalog.add_price(given.model, _price(given), given.source, given.ordered_by)
        return pb.AddPriceResponse(price=_price_to_proto(given.model, order))

    async def MoveChannel(self, request: pb.MoveChannelRequest, context: Context) -> pb.MoveChannelResponse:
        """Have a channel stand for another model from a moment to come."""
        move = Move(timestamp_from_proto(request.since, "since"), request.model)
        return pb.MoveChannelResponse(channel=await self._catalog.move_channel(request.channel, move, request.moved_by))


def _scope(message: pb.ProviderScope) -> Target:
    return Target(message.provider, message.credential, message.model)


def _scope_to_proto(scope: Target) -> pb.ProviderScope:
    return pb.ProviderScope(provider=scope.provider, credential=scope.credential, model=scope.model)


def _circuit_to_proto(view: CircuitView) -> pb.Circuit:
    message = pb.Circuit(
        target=_scope_to_proto(view.target),
        state=view.state.value,
        cause=view.cause,
        openings=view.openings,
        drained=view.drained,
    )
    times: dict[str, datetime | None] = {
        "since": view.since,
        "until": view.until,
        "cooling_until": view.cooling_until,
    }
    for name, moment in times.items():
        if moment is not None:
            getattr(message, name).FromDatetime(moment)
    return message


def _drain_to_proto(drain: Drain) -> pb.Drain:
    message = pb.Drain(scope=_scope_to_proto(drain.scope), reason=drain.reason, drained_by=drain.by)
    message.drained_at.FromDatetime(drain.at)
    return message


def _past_to_proto(health: ModelHealth) -> pb.PastStatus:
    message = pb.PastStatus(
        provider=health.provider,
        model=health.model,
        status=health.status,
        reason=health.reason,
        error_rate=health.error_rate,
    )
    message.began_at.FromDatetime(health.updated_at)
    return message


def _override_to_proto(order: PatchOrder) -> pb.CatalogOverride:
    patch = b"" if order.patch is None else json.dumps(order.patch).encode()
    message = pb.CatalogOverride(model=order.model, patch_json=patch, ordered_by=order.ordered.by)
    message.ordered_at.FromDatetime(order.ordered.at)
    return message


def _price(message: pb.CatalogPrice) -> Price:
    return Price(
        version="",
        input_micro_rub_per_1k=message.input_micro_rub_per_1k,
        output_micro_rub_per_1k=message.output_micro_rub_per_1k,
        cached_micro_rub_per_1k=message.cached_micro_rub_per_1k,
        valid_from=timestamp_from_proto(message.valid_from, "valid_from"),
    )


def _price_to_proto(model: str, order: PriceOrder) -> pb.CatalogPrice:
    price = order.price
    message = pb.CatalogPrice(
        model=model,
        version=price.version,
        input_micro_rub_per_1k=price.input_micro_rub_per_1k,
        output_micro_rub_per_1k=price.output_micro_rub_per_1k,
        cached_micro_rub_per_1k=price.cached_micro_rub_per_1k,
        source=order.source,
    )
    message.valid_from.FromDatetime(price.valid_from)
    if order.ordered is not None:
        message.ordered_by = order.ordered.by
        message.ordered_at.FromDatetime(order.ordered.at)
    return message
