"""What administrators see and order of providers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import grpc
from razvilka.router.v1 import admin_pb2 as pb
from razvilka.router.v1 import admin_pb2_grpc

from servicekit import rpc_client
from servicekit.call import CallContext
from services.gateway.clients.timestamps import moment

DEADLINE_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class ProviderScope:
    """A provider, or less of it: an empty credential or model stands for all."""

    provider: str
    credential: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class CircuitState:
    """A circuit as one of the routers sees it."""

    target: ProviderScope
    state: str
    cause: str
    since: datetime | None
    until: datetime | None
    openings: int
    cooling_until: datetime | None
    drained: bool


@dataclass(frozen=True, slots=True)
class DrainOrder:
    """Where nothing is sent to, and who said so."""

    scope: ProviderScope
    reason: str
    by: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class PastStatus:
    """A status of a model, from when it began."""

    provider: str
    model: str
    status: str
    reason: str
    error_rate: float
    began_at: datetime | None


class ProviderAdministrationClient:
    """Asks one of the routers, which tells the others."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = admin_pb2_grpc.RouterAdminServiceStub(channel)

    async def circuits(self, call: CallContext) -> tuple[list[CircuitState], list[DrainOrder]]:
        """Return circuits and drains.

        Raises:
            Unavailable: the router's database is down.
        """
        found = await self._ask(self._stub.ListCircuits, pb.ListCircuitsRequest(), call)
        return list(map(_circuit, found.circuits)), list(map(_drain, found.drains))

    async def reset(self, scope: ProviderScope, call: CallContext) -> list[ProviderScope]:
        """Close circuits and return which were not closed.

        Raises:
            NotFound: no such provider or model.
        """
        found = await self._ask(self._stub.ResetCircuits, pb.ResetCircuitsRequest(scope=_to_proto(scope)), call)
        return list(map(_scope, found.reset))

    async def set_drained(
        self, scope: ProviderScope, reason: str, by: str, call: CallContext, *, drained: bool
    ) -> None:
        """Stop sending to what is within the scope, or go on.

        Raises:
            NotFound: no such provider or model; no drain of exactly this scope.
            Unavailable: the router's database is down.
        """
        request = pb.SetDrainedRequest(scope=_to_proto(scope), drained=drained, reason=reason, drained_by=by)
        await self._ask(self._stub.SetDrained, request, call)

    async def history(self, provider: str, model: str, limit: int, call: CallContext) -> list[PastStatus]:
        """Return past statuses, newest first; an empty name stands for all.

        Raises:
            Unavailable: the router's database is down.
        """
        request = pb.ListStatusHistoryRequest(provider=provider, model=model, limit=limit)
        found = await self._ask(self._stub.ListStatusHistory, request, call)
        return [
            PastStatus(each.provider, each.model, each.status, each.reason, each.error_rate, moment(each, "began_at"))
            for each in found.statuses
        ]

    async def _ask(self, method: Any, request: Any, call: CallContext) -> Any:
        return await rpc_client.unary(method, request, deadline_s=DEADLINE_S, call=call)


def _scope(message: pb.ProviderScope) -> ProviderScope:
    return ProviderScope(message.provider, message.credential, message.model)


def _to_proto(scope: ProviderScope) -> pb.ProviderScope:
    return pb.ProviderScope(provider=scope.provider, credential=scope.credential, model=scope.model)


def _circuit(message: pb.Circuit) -> CircuitState:
    return CircuitState(
        _scope(message.target),
        message.state,
        message.cause,
        moment(message, "since"),
        moment(message, "until"),
        message.openings,
        moment(message, "cooling_until"),
        message.drained,
    )


def _drain(message: pb.Drain) -> DrainOrder:
    return DrainOrder(_scope(message.scope), message.reason, message.drained_by, moment(message, "drained_at"))
