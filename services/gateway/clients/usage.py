"""The usage service, as the gateway needs it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.usage.v1 import usage_pb2 as pb
from razvilka.usage.v1 import usage_pb2_grpc

from servicekit import rpc_client
from servicekit.call import CallContext
from services.gateway.clients.timestamps import to_timestamp, to_unix_us
from services.gateway.metering.usage_record import Attempt, Rejected, Source, Status, UsageRecord

READ_DEADLINE_S = 2.0
RECORD_DEADLINE_S = 10.0


class UsageClient:
    """Stores what was spent, and reads it back."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self._stub = usage_pb2_grpc.UsageServiceStub(channel)

    async def record(self, records: Sequence[UsageRecord]) -> tuple[Rejected, ...]:
        """Store a batch, idempotently; return those that can never be stored.

        Raises:
            ServiceError: nothing was stored; send it again.
        """
        request = pb.RecordRequest(records=[record_to_proto(record) for record in records])
        answer = await rpc_client.unary(self._stub.Record, request, deadline_s=RECORD_DEADLINE_S)
        return tuple(Rejected(item.request_id, item.field, item.message) for item in answer.rejected)

    async def get_spend(
        self, user_id: str, subject: str, since: datetime | None, call: CallContext | None = None
    ) -> int:
        """Return what a subject spent since a moment (None: ever), in micro-roubles."""
        stamp = None
        if since is not None:
            stamp = Timestamp()
            stamp.FromDatetime(since)
        request = pb.GetSpendRequest(user_id=user_id, subject=subject, since=stamp)
        answer = await rpc_client.unary(self._stub.GetSpend, request, deadline_s=READ_DEADLINE_S, call=call)
        return int(answer.cost_micro_rub)

    async def get_request(self, user_id: str, request_id: str, call: CallContext) -> UsageRecord:
        """Return one stored request.

        Raises:
            NotFound: absent, or someone else's.
        """
        request = pb.GetRequestRequest(user_id=user_id, request_id=request_id)
        answer = await rpc_client.unary(self._stub.GetRequest, request, deadline_s=READ_DEADLINE_S, call=call)
        return record_from_proto(answer.record)

    async def is_serving(self) -> bool:
        """Tell whether the service is ready."""
        return await rpc_client.is_serving(self._channel)


def record_to_proto(record: UsageRecord) -> pb.UsageRecord:
    """Convert at the border."""
    return pb.UsageRecord(
        request_id=record.request_id,
        user_id=record.user_id,
        key_id=record.key_id,
        grant_id=record.grant_id,
        client_id=record.client_id,
        provider=record.provider,
        model=record.model,
        resolved_model=record.resolved_model,
        tokens_input=record.tokens_input,
        tokens_output=record.tokens_output,
        tokens_cached=record.tokens_cached,
        tokens_reasoning=record.tokens_reasoning,
        cost_micro_rub=record.cost_micro_rub,
        price_version=record.price_version,
        status=int(record.status),  # type: ignore[arg-type]
        source=int(record.source),  # type: ignore[arg-type]
        finish_reason=record.finish_reason,
        error_code=record.error_code,
        stream=record.stream,
        started_at=to_timestamp(record.started_at_us),
        first_token_ms=record.first_token_ms,
        latency_ms=record.latency_ms,
        http_status=record.http_status,
        trace_id=record.trace_id,
        attempts=[
            pb.Attempt(provider=item.provider, model=item.model, reason=item.reason, latency_ms=item.latency_ms)
            for item in record.attempts
        ],
        requested_model=record.requested_model,
        endpoint=record.endpoint,
    )


def record_from_proto(message: pb.UsageRecord) -> UsageRecord:
    """Convert at the border."""
    return UsageRecord(
        request_id=message.request_id,
        user_id=message.user_id,
        key_id=message.key_id,
        grant_id=message.grant_id,
        client_id=message.client_id,
        provider=message.provider,
        model=message.model,
        resolved_model=message.resolved_model,
        tokens_input=message.tokens_input,
        tokens_output=message.tokens_output,
        tokens_cached=message.tokens_cached,
        tokens_reasoning=message.tokens_reasoning,
        cost_micro_rub=message.cost_micro_rub,
        price_version=message.price_version,
        status=Status(message.status),
        source=Source(message.source),
        finish_reason=message.finish_reason,
        error_code=message.error_code,
        stream=message.stream,
        started_at_us=to_unix_us(message.started_at),
        first_token_ms=message.first_token_ms,
        latency_ms=message.latency_ms,
        http_status=message.http_status,
        trace_id=message.trace_id,
        attempts=tuple(Attempt(item.provider, item.model, item.reason, item.latency_ms) for item in message.attempts),
        requested_model=message.requested_model,
        endpoint=message.endpoint,
    )
