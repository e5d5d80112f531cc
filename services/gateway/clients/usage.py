"""The usage service, as the gateway needs it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Final, NamedTuple

import grpc
from razvilka.usage.v1 import usage_pb2 as pb
from razvilka.usage.v1 import usage_pb2_grpc

from servicekit import rpc_client
from servicekit.call import CallContext
from servicekit.timestamps import timestamp_to_proto
from services.gateway.clients.timestamps import to_timestamp, to_unix_us
from services.gateway.clients.user_contexts import InWhoseName, UserCalls, of_nobody
from services.gateway.metering.usage_record import Attempt, Rejected, Source, Status, UsageRecord

READ_DEADLINE_S = 2.0
RECORD_DEADLINE_S = 10.0
# Grouping a month of a busy system takes a minute.
CHECK_DEADLINE_S = 120.0

# Fields that are the same on both sides; the others are converted below.
_CONVERTED: Final = {"status", "source", "started_at_us", "attempts", "metadata"}
_PLAIN_NAMES: Final = tuple([name for name in UsageRecord.__struct_fields__ if name not in _CONVERTED])
_plain: Final = attrgetter(*_PLAIN_NAMES)
_ATTEMPT_NAMES: Final = Attempt.__struct_fields__
_attempt: Final = attrgetter(*_ATTEMPT_NAMES)


class ModelCaller(NamedTuple):
    """Who has called a model, by which key or grant, how often, and on which UTC day last."""

    model: str
    user_id: str
    key_id: str
    grant_id: str
    requests: int
    last_day: datetime


class LedgerCheck(NamedTuple):
    """How many rows were compared, and where an invariant does not hold, as (invariant, detail)."""

    rows_checked: int
    broken: tuple[tuple[str, str], ...]


class UsageClient:
    """Stores what was spent, and reads it back. `in_whose_name` tells whom it is read for."""

    def __init__(self, channel: grpc.aio.Channel, in_whose_name: InWhoseName = of_nobody) -> None:
        self._channel = channel
        self._ask = UserCalls(in_whose_name, READ_DEADLINE_S)
        self._stub = usage_pb2_grpc.UsageServiceStub(channel)

    async def record(self, records: Sequence[UsageRecord]) -> tuple[Rejected, ...]:
        """Store a batch, idempotently; return those that can never be stored.

        Raises:
            ServiceError: nothing was stored; send it again.
        """
        answer = await rpc_client.unary(self._stub.Record, records_to_proto(records), deadline_s=RECORD_DEADLINE_S)
        return tuple(Rejected(item.request_id, item.field, item.message) for item in answer.rejected)

    async def now(self) -> float | None:
        """Return the clock of the usage service in Unix seconds; None when it is too old to say.

        Raises:
            ServiceError: it is away.
        """
        answer = await rpc_client.unary(self._stub.Record, pb.RecordRequest(), deadline_s=READ_DEADLINE_S)
        return answer.now_us / 1e6 if answer.now_us else None

    async def get_spend(
        self,
        user_id: str,
        subject: str,
        since: datetime | None,
        until: datetime | None,
        call: CallContext | None = None,
    ) -> int:
        """Return what a subject spent from one moment until before another (None: no such end), in micro-roubles."""
        request = pb.GetSpendRequest(
            user_id=user_id, subject=subject, since=timestamp_to_proto(since), until=timestamp_to_proto(until)
        )
        answer = await rpc_client.unary(self._stub.GetSpend, request, deadline_s=READ_DEADLINE_S, call=call)
        return int(answer.cost_micro_rub)

    async def get_request(self, user_id: str, request_id: str, call: CallContext) -> UsageRecord:
        """Return one stored request.

        Raises:
            NotFound: absent, or someone else's.
        """
        request = pb.GetRequestRequest(user_id=user_id, request_id=request_id)
        return record_from_proto((await self._ask(self._stub.GetRequest, request, call)).record)

    async def model_callers(
        self, admin_user_id: str, models: Sequence[str], since: datetime, limit: int, call: CallContext
    ) -> list[ModelCaller]:
        """Return who has called any of the models from a UTC day on, most requests first: for an administrator.

        Raises:
            PermissionDenied: who asks is none.
        """
        request = pb.ListModelCallersRequest(
            admin_user_id=admin_user_id, models=models, since=timestamp_to_proto(since), limit=limit
        )
        answer = await self._ask(self._stub.ListModelCallers, request, call, RECORD_DEADLINE_S)
        return [
            ModelCaller(each.model, each.user_id, each.key_id, each.grant_id, each.requests, each.last_day.ToDatetime())
            for each in answer.callers
        ]

    async def check_ledger(self, admin_user_id: str, since: datetime, call: CallContext) -> LedgerCheck:
        """Compare all rows since the start of a UTC day with the sums of them: for an administrator.

        Raises:
            PermissionDenied: who asks is none.
        """
        request = pb.CheckLedgerRequest(admin_user_id=admin_user_id, since=timestamp_to_proto(since))
        answer = await self._ask(self._stub.CheckLedger, request, call, CHECK_DEADLINE_S)
        return LedgerCheck(answer.rows_checked, tuple((each.invariant, each.detail) for each in answer.broken))

    async def is_serving(self) -> bool:
        """Tell whether the service is ready."""
        return await rpc_client.is_serving(self._channel)


def records_to_proto(records: Sequence[UsageRecord]) -> pb.RecordRequest:
    """Convert at the border."""
    request = pb.RecordRequest()
    # In place: a message that is given to another one's constructor is copied, with all that it has.
    for record in records:
        request.records.add(**_fields(record))
    return request


def _fields(record: UsageRecord) -> dict[str, Any]:
    fields = dict(zip(_PLAIN_NAMES, _plain(record), strict=True))
    fields["status"], fields["source"] = record.status, record.source
    fields["started_at"] = to_timestamp(record.started_at_us)
    fields["attempts"] = [dict(zip(_ATTEMPT_NAMES, _attempt(item), strict=True)) for item in record.attempts]
    fields["metadata"] = record.metadata or None
    return fields


def record_from_proto(message: pb.UsageRecord) -> UsageRecord:
    """Convert at the border."""
    return UsageRecord(
        **dict(zip(_PLAIN_NAMES, _plain(message), strict=True)),
        status=Status(message.status),
        source=Source(message.source),
        started_at_us=to_unix_us(message.started_at),
        attempts=tuple([Attempt(*_attempt(item)) for item in message.attempts]),
        metadata=dict(message.metadata),
    )
