"""protobuf <-> domain, both ways."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.usage.v1 import usage_pb2 as pb
from razvilka.usage.v1 import usage_pb2_grpc as pb_grpc

from services.usage.domain.record import EPOCH, Attempt, Source, Status, UsageRecord
from services.usage.ingest import Ingest
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
}
STATUS_TO_PROTO: Final[dict[Status | None, pb.Status.ValueType]] = {
    status: number for number, status in STATUS_FROM_PROTO.items()
}
SOURCE_TO_PROTO: Final[dict[Source | None, pb.Source.ValueType]] = {
    source: number for number, source in SOURCE_FROM_PROTO.items()
}

# What a datetime can hold; a Timestamp can hold more.
_FIRST_S: Final = -62_135_596_800
_LAST_S: Final = 253_402_300_799


class UsageServicer(pb_grpc.UsageServiceServicer):
    """The usage service on the wire."""

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
        )

    async def GetSpend(self, request: pb.GetSpendRequest, context: Context) -> pb.GetSpendResponse:
        """Sum what a subject spent."""
        since = moment_from_proto(request.since) if request.HasField("since") else None
        spend = await self._spending.sum_since(request.user_id, request.subject, since)
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

    async def CheckInvariants(self, request: pb.CheckInvariantsRequest, context: Context) -> pb.CheckInvariantsResponse:
        """Compare rows with rollups."""
        since = moment_from_proto(request.since) if request.HasField("since") else None
        result = await self._upkeep.check_since(since)
        return pb.CheckInvariantsResponse(
            broken=[pb.Broken(invariant=broken.invariant.value, detail=broken.detail) for broken in result.broken],
            rows_checked=result.rows_checked,
        )


def moment_from_proto(timestamp: Timestamp) -> datetime:
    """Return the moment, to the microsecond; one beyond the calendar becomes its first or last second."""
    seconds = min(max(timestamp.seconds, _FIRST_S), _LAST_S)
    return EPOCH + timedelta(seconds=seconds, microseconds=min(max(timestamp.nanos, 0), 999_999_999) // 1000)


def record_from_proto(message: pb.UsageRecord) -> UsageRecord:
    """Return the record as it was sent; whether it is fit to be stored is the domain's question."""
    return UsageRecord(
        request_id=message.request_id.lower(),
        user_id=message.user_id,
        key_id=message.key_id,
        grant_id=message.grant_id,
        client_id=message.client_id,
        provider=message.provider,
        model=message.model,
        requested_model=message.requested_model,
        resolved_model=message.resolved_model,
        endpoint=message.endpoint,
        tokens_input=message.tokens_input,
        tokens_output=message.tokens_output,
        tokens_cached=message.tokens_cached,
        tokens_reasoning=message.tokens_reasoning,
        cost_micro_rub=message.cost_micro_rub,
        price_version=message.price_version,
        status=STATUS_FROM_PROTO.get(message.status),
        source=SOURCE_FROM_PROTO.get(message.source),
        finish_reason=message.finish_reason,
        error_code=message.error_code,
        stream=message.stream,
        http_status=message.http_status,
        latency_ms=message.latency_ms,
        first_token_ms=message.first_token_ms,
        trace_id=message.trace_id,
        attempts=tuple(
            [
                Attempt(attempt.provider, attempt.model, attempt.reason, attempt.latency_ms)
                for attempt in message.attempts
            ]
        ),
        started_at=moment_from_proto(message.started_at) if message.HasField("started_at") else None,
    )


def record_to_proto(record: UsageRecord) -> pb.UsageRecord:
    """Return the message of a stored record."""
    message = pb.UsageRecord(
        request_id=record.request_id,
        user_id=record.user_id,
        key_id=record.key_id,
        grant_id=record.grant_id,
        client_id=record.client_id,
        provider=record.provider,
        model=record.model,
        requested_model=record.requested_model,
        resolved_model=record.resolved_model,
        endpoint=record.endpoint,
        tokens_input=record.tokens_input,
        tokens_output=record.tokens_output,
        tokens_cached=record.tokens_cached,
        tokens_reasoning=record.tokens_reasoning,
        cost_micro_rub=record.cost_micro_rub,
        price_version=record.price_version,
        status=STATUS_TO_PROTO.get(record.status, pb.STATUS_UNSPECIFIED),
        source=SOURCE_TO_PROTO.get(record.source, pb.SOURCE_UNSPECIFIED),
        finish_reason=record.finish_reason,
        error_code=record.error_code,
        stream=record.stream,
        http_status=record.http_status,
        latency_ms=record.latency_ms,
        first_token_ms=record.first_token_ms,
        trace_id=record.trace_id,
        attempts=[
            pb.Attempt(
                provider=attempt.provider, model=attempt.model, reason=attempt.reason, latency_ms=attempt.latency_ms
            )
            for attempt in record.attempts
        ],
    )
    if record.started_at is not None:
        message.started_at.FromDatetime(record.started_at)
    return message
