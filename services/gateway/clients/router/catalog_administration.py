"""What administrators see and order of the catalogue."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import grpc
from razvilka.router.v1 import admin_pb2 as pb
from razvilka.router.v1 import admin_pb2_grpc

from servicekit import rpc_client
from servicekit.call import CallContext
from services.gateway.clients.timestamps import moment

DEADLINE_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class CatalogOverride:
    """What differs from a model's file; `patch` is None when it was taken back."""

    model: str
    patch: Mapping[str, Any] | None
    by: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class CatalogPrice:
    """A price of a model, in micro-roubles per 1,000 tokens; `by` is empty when it stands in a catalogue file."""

    model: str
    valid_from: datetime
    input: int
    output: int
    cached: int
    source: str = ""
    by: str = ""
    version: str = ""
    at: datetime | None = None


class CatalogAdministrationClient:
    """Asks one of the routers, which tells the others. Every method raises Unavailable when its database is down."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = admin_pb2_grpc.RouterAdminServiceStub(channel)

    async def overrides(self, call: CallContext) -> tuple[list[CatalogOverride], list[CatalogOverride]]:
        """Return the overrides that count, and the last orders about them, newest first."""
        found = await self._ask(self._stub.ListOverrides, pb.ListOverridesRequest(), call)
        return list(map(_override, found.overrides)), list(map(_override, found.history))

    async def set_override(self, model: str, patch: Mapping[str, Any], by: str, call: CallContext) -> CatalogOverride:
        """Have a model differ from its file by exactly the patch.

        Raises:
            NotFound: no such model.
            InvalidRequest: a field is wrong.
        """
        request = pb.SetOverrideRequest(model=model, patch_json=json.dumps(patch).encode(), ordered_by=by)
        return _override((await self._ask(self._stub.SetOverride, request, call)).override)

    async def remove_override(self, model: str, by: str, call: CallContext) -> None:
        """Have a model be as its file says.

        Raises:
            NotFound: there is no override of it.
        """
        await self._ask(self._stub.RemoveOverride, pb.RemoveOverrideRequest(model=model, ordered_by=by), call)

    async def prices(self, model: str, call: CallContext) -> list[CatalogPrice]:
        """Return the prices of a model, oldest first.

        Raises:
            NotFound: no such model.
        """
        found = await self._ask(self._stub.ListPrices, pb.ListPricesRequest(model=model), call)
        return list(map(_price, found.prices))

    async def add_price(self, price: CatalogPrice, call: CallContext) -> CatalogPrice:
        """Have a model cost something else from a moment to come.

        Raises:
            NotFound: no such model.
            InvalidRequest: an amount, or the moment, is wrong.
        """
        found = await self._ask(self._stub.AddPrice, pb.AddPriceRequest(price=_price_to_proto(price)), call)
        return _price(found.price)

    async def move_channel(self, channel: str, model: str, since: datetime, by: str, call: CallContext) -> str:
        """Have a channel stand for another model from a moment to come, and return its id.

        Raises:
            NotFound: no such channel.
            InvalidRequest: the model, or the moment, is wrong.
        """
        request = pb.MoveChannelRequest(channel=channel, model=model, moved_by=by)
        request.since.FromDatetime(since)
        found = await self._ask(self._stub.MoveChannel, request, call)
        return str(found.channel)

    async def _ask(self, method: Any, request: Any, call: CallContext) -> Any:
        return await rpc_client.unary(method, request, deadline_s=DEADLINE_S, call=call)


def _override(message: pb.CatalogOverride) -> CatalogOverride:
    patch = json.loads(message.patch_json) if message.patch_json else None
    return CatalogOverride(message.model, patch, message.ordered_by, moment(message, "ordered_at"))


def _price_to_proto(price: CatalogPrice) -> pb.CatalogPrice:
    message = pb.CatalogPrice(
        model=price.model,
        input_micro_rub_per_1k=price.input,
        output_micro_rub_per_1k=price.output,
        cached_micro_rub_per_1k=price.cached,
        source=price.source,
        ordered_by=price.by,
    )
    message.valid_from.FromDatetime(price.valid_from)
    return message


def _price(message: pb.CatalogPrice) -> CatalogPrice:
    return CatalogPrice(
        model=message.model,
        valid_from=message.valid_from.ToDatetime(UTC),
        input=message.input_micro_rub_per_1k,
        output=message.output_micro_rub_per_1k,
        cached=message.cached_micro_rub_per_1k,
        source=message.source,
        by=message.ordered_by,
        version=message.version,
        at=moment(message, "ordered_at"),
    )
