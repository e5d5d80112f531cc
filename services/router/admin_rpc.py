"""RouterAdminService over gRPC: decode, call, encode; no rules."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeAlias

import grpc
from razvilka.router.v1 import admin_pb2 as pb
from razvilka.router.v1 import admin_pb2_grpc

from services.router.circuits.domain.news import CircuitView, Drain
from services.router.circuits.domain.target import Target
from services.router.status.administration import ProviderAdministration
from services.router.status.domain.health import ModelHealth

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


class RouterAdminServicer(admin_pb2_grpc.RouterAdminServiceServicer):
    """Speaks the administrators' part of razvilka.router.v1."""

    def __init__(self, providers: ProviderAdministration) -> None:
        self._providers = providers

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
