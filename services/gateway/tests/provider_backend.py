"""The administrators' face of the router, as the gateway's tests play it."""

from __future__ import annotations

from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.router.v1 import admin_pb2 as pb
from razvilka.router.v1 import admin_pb2_grpc

from servicekit.errors import ErrorReason, NotFound

MIDDAY = Timestamp(seconds=1_795_435_200)


class FakeProviders(admin_pb2_grpc.RouterAdminServiceServicer):
    """Knows one provider, and keeps what it is told."""

    def __init__(self) -> None:
        self.orders: list[Any] = []

    async def ListCircuits(self, request: Any, context: Any) -> pb.ListCircuitsResponse:
        target = pb.ProviderScope(provider="gigachat", credential="default", model="gigachat-pro")
        circuit = pb.Circuit(target=target, state="open", cause="failures", since=MIDDAY, until=MIDDAY, openings=2)
        scope = pb.ProviderScope(provider="gigachat")
        drain = pb.Drain(scope=scope, reason="maintenance", drained_by="user:admin-1", drained_at=MIDDAY)
        return pb.ListCircuitsResponse(circuits=[circuit], drains=[drain])

    async def ResetCircuits(self, request: Any, context: Any) -> pb.ResetCircuitsResponse:
        self._take(request)
        return pb.ResetCircuitsResponse(reset=[request.scope])

    async def SetDrained(self, request: Any, context: Any) -> pb.SetDrainedResponse:
        self._take(request)
        return pb.SetDrainedResponse()

    async def ListStatusHistory(self, request: Any, context: Any) -> pb.ListStatusHistoryResponse:
        self.orders.append(request)
        past = pb.PastStatus(
            provider="gigachat", model="gigachat-pro", status="down", reason="drained", error_rate=0.5, began_at=MIDDAY
        )
        return pb.ListStatusHistoryResponse(statuses=[past])

    async def ListOverrides(self, request: Any, context: Any) -> pb.ListOverridesResponse:
        order = pb.CatalogOverride(
            model="gigachat-pro", patch_json=b'{"enabled":false}', ordered_by="user:admin-1", ordered_at=MIDDAY
        )
        gone = pb.CatalogOverride(model="gigachat", ordered_by="user:admin-1", ordered_at=MIDDAY)
        return pb.ListOverridesResponse(overrides=[order], history=[gone, order])

    async def SetOverride(self, request: Any, context: Any) -> pb.SetOverrideResponse:
        self.orders.append(request)
        order = pb.CatalogOverride(
            model="gigachat-pro", patch_json=request.patch_json, ordered_by=request.ordered_by, ordered_at=MIDDAY
        )
        return pb.SetOverrideResponse(override=order)

    async def RemoveOverride(self, request: Any, context: Any) -> pb.RemoveOverrideResponse:
        self.orders.append(request)
        return pb.RemoveOverrideResponse()

    async def ListPrices(self, request: Any, context: Any) -> pb.ListPricesResponse:
        if request.model == "unknown":
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such model.", param="model")
        price = pb.CatalogPrice(model=request.model, version="m@2026", valid_from=MIDDAY, source="list")
        price.input_micro_rub_per_1k, price.output_micro_rub_per_1k = 65_000, 130_000
        return pb.ListPricesResponse(prices=[price])

    async def AddPrice(self, request: Any, context: Any) -> pb.AddPriceResponse:
        self.orders.append(request)
        price = pb.CatalogPrice(version="m@2027-01-01", ordered_at=MIDDAY)
        price.MergeFrom(request.price)
        return pb.AddPriceResponse(price=price)

    async def MoveChannel(self, request: Any, context: Any) -> pb.MoveChannelResponse:
        self.orders.append(request)
        return pb.MoveChannelResponse(channel="yandexgpt:latest")

    def _take(self, request: Any) -> None:
        if request.scope.provider != "gigachat":
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such provider.", param="provider")
        self.orders.append(request)
