"""gRPC servicers of usage: decode, call, encode; no rules."""

from __future__ import annotations

from dataclasses import fields
from datetime import UTC, datetime, time
from operator import attrgetter
from typing import Any, Final, TypeAlias

import grpc
from razvilka.usage.v1 import shared_spend_pb2 as shared_pb
from razvilka.usage.v1 import shared_spend_pb2_grpc as shared_grpc
from razvilka.usage.v1 import usage_pb2 as pb
from razvilka.usage.v1 import usage_pb2_grpc as pb_grpc

from servicekit.timestamps import nearest_from_proto
from services.usage.domain.model_caller import ModelCaller
from services.usage.domain.record import COLUMNS, Attempt, Source, Status, UsageRecord
from services.usage.ingest import Ingest
from services.usage.rpc_values import moment_if_set
from services.usage.spending import Spending
from services.usage.upkeep import Upkeep

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"

STATUS_FROM_PROTO: Final[dict[pb.Status.ValueType, Status]] = {
    pb.STATUS_COMPLETED: Status.COMPLETED,
    pb.STATUS_INTERRUPTED: Status.INTERRUPTED,
    pb.STATUS_FAILED: Status.FAILED,
}
SOURCE_FROM_PROTO: Final[dict[pb.Source.ValueType, Source]] = {
    pb.SOURCE_PROVIDER: Source.PROVIDER,
    pb.SOURCE_ESTIMATED: Source.ESTIMATED,
    pb.SOURCE_REAPED: Source.REAPED,
    pb.SOURCE_DISPUTED: Source.DISPUTED,
    pb.SOURCE_IMPORTED: Source.IMPORTED,
}
STATUS_TO_PROTO: Final[dict[Status | None, pb.Status.ValueType]] = {
    status: number for number, status in STATUS_FROM_PROTO.items()
}
SOURCE_TO_PROTO: Final[dict[Source | None, pb.Source.ValueType]] = {
    source: number for number, source in SOURCE_FROM_PROTO.items()
}

# Fields that are the same on both sides; the others are converted below.
_CONVERTED: Final = {"request_id", "status", "source", "attempts", "started_at", "metadata"}
_PLAIN_NAMES: Final = tuple([column.name for column in COLUMNS if column.name not in _CONVERTED])
_plain: Final = attrgetter(*_PLAIN_NAMES)
_ATTEMPT_NAMES: Final = tuple([field.name for field in fields(Attempt)])
_attempt: Final = attrgetter(*_ATTEMPT_NAMES)


class SharedSpendServicer(shared_grpc.SharedSpendServiceServicer):
    """Implements the service for organizations' spending."""

    def __init__(self, spending: Spending) -> None:
        self._spending = spending

    async def GetSharedSpend(
        self, request: shared_pb.GetSharedSpendRequest, context: Context
    ) -> shared_pb.GetSharedSpendResponse:
        """Sum what users spent, each in a span of their own."""
        parts = [
            (
                part.user_id,
                moment_if_set(part, "since"),
                moment_if_set(part, "until"),
            )
            for part in request.parts
        ]
        return shared_pb.GetSharedSpendResponse(cost_micro_rub=await self._spending.sum_of_many(parts))


class UsageServicer(pb_grpc.UsageServiceServicer):
    """Implements the usage service."""

    def __init__(self, ingest: Ingest, spending: Spending, upkeep: Upkeep) -> None:
        self._ingest = ingest
        self._spending = spending
        self._upkeep = upkeep

    async def Record(self, request: pb.RecordRequest, context: Context) -> pb.RecordResponse:
        """Store a batch once."""
        outcome = await self._ingest.record([record_from_proto(record) for record in request.records])
        return pb.RecordResponse(
            inserted=outcome.inserted,
            duplicates=outcome.duplicates,
            replaced=outcome.replaced,
            rejected=[
                pb.Rejected(request_id=problem.request_id, field=problem.field, message=problem.message)
                for problem in outcome.rejected
            ],
            now_us=self._ingest.now_us(),
        )

    async def GetSpend(self, request: pb.GetSpendRequest, context: Context) -> pb.GetSpendResponse:
        """Sum what a subject spent."""
        since = moment_if_set(request, "since")
        until = moment_if_set(request, "until")
        spend = await self._spending.sum_between(request.user_id, request.subject, since, until)
        return pb.GetSpendResponse(
            cost_micro_rub=spend.cost_micro_rub,
            requests=spend.requests,
            tokens_input=spend.tokens_input,
            tokens_output=spend.tokens_output,
        )

    async def GetRequest(self, request: pb.GetRequestRequest, context: Context) -> pb.GetRequestResponse:
        """Return one request of one user."""
        record = await self._spending.find_request(request.user_id, request.request_id)
        return pb.GetRequestResponse(record=record_to_proto(record))

    async def ListModelCallers(
        self, request: pb.ListModelCallersRequest, context: Context
    ) -> pb.ListModelCallersResponse:
        """Return who calls some models."""
        since = nearest_from_proto(request.since).date()
        found = await self._spending.callers_of(request.models, since, request.limit)
        return pb.ListModelCallersResponse(callers=map(caller_to_proto, found))

    async def CheckInvariants(self, request: pb.CheckInvariantsRequest, context: Context) -> pb.CheckInvariantsResponse:
        """Compare rows with rollups."""
        return await self._checked(request)

    async def CheckLedger(self, request: pb.CheckLedgerRequest, context: Context) -> pb.CheckInvariantsResponse:
        """Compare rows with rollups, for an administrator."""
        return await self._checked(request)

    async def _checked(self, request: pb.CheckInvariantsRequest | pb.CheckLedgerRequest) -> pb.CheckInvariantsResponse:
        since = moment_if_set(request, "since")
        result = await self._upkeep.check_since(since)
        return pb.CheckInvariantsResponse(
            broken=[pb.Broken(invariant=broken.invariant.value, detail=broken.detail) for broken in result.broken],
            rows_checked=result.rows_checked,
        )


def caller_to_proto(caller: ModelCaller) -> pb.ModelCaller:
    """Return who called a model."""
    message = pb.ModelCaller(
        model=caller.model,
        user_id=caller.user_id,
        key_id=caller.key_id,
        grant_id=caller.grant_id,
        requests=caller.requests,
    )
    message.last_day.FromDatetime(datetime.combine(caller.last_day, time(), UTC))
    return message


def record_from_proto(message: pb.UsageRecord) -> UsageRecord:
    """Return the record as it was sent; whether it is fit to be stored is the domain's question."""
    plain = dict(zip(_PLAIN_NAMES, _plain(message), strict=True))
    return UsageRecord(
        **plain,
        request_id=message.request_id.lower(),
        status=STATUS_FROM_PROTO.get(message.status),
        source=SOURCE_FROM_PROTO.get(message.source),
        attempts=tuple([Attempt(*_attempt(attempt)) for attempt in message.attempts]),
        metadata=dict(message.metadata),
        started_at=moment_if_set(message, "started_at"),
    )


def record_to_proto(record: UsageRecord) -> pb.UsageRecord:
    """Return the message of a stored record."""
    plain: dict[str, Any] = dict(zip(_PLAIN_NAMES, _plain(record), strict=True))
    message = pb.UsageRecord(
        **plain,
        request_id=record.request_id,
        status=STATUS_TO_PROTO.get(record.status, pb.STATUS_UNSPECIFIED),
        source=SOURCE_TO_PROTO.get(record.source, pb.SOURCE_UNSPECIFIED),
        attempts=[
            pb.Attempt(**dict(zip(_ATTEMPT_NAMES, _attempt(attempt), strict=True))) for attempt in record.attempts
        ],
        metadata=record.metadata,
    )
    if record.started_at is not None:
        message.started_at.FromDatetime(record.started_at)
    return message
