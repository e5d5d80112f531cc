"""Batches, as their owners need them from the router."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import grpc
from razvilka.router.v1 import batches_pb2 as pb
from razvilka.router.v1 import batches_pb2_grpc

from servicekit.call import CallContext
from services.gateway.clients.caller import Caller
from services.gateway.clients.user_contexts import InWhoseName, UserCalls

DEADLINE_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class LineError:
    """What is wrong with a line of an input file, from 1; 0: with the file as a whole."""

    code: str
    message: str
    param: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Batch:
    """How far a batch is. `moments_s`: "in_progress_at" -> seconds of Unix time."""

    id: str
    endpoint: str
    input_file_id: str
    status: str
    output_file_id: str
    error_file_id: str
    created_at: datetime
    expires_at: datetime
    moments_s: Mapping[str, int]
    total: int
    completed: int
    failed: int
    metadata: Mapping[str, str]
    errors: tuple[LineError, ...]


class BatchClient:
    """Begins batches and looks after them."""

    def __init__(self, channel: grpc.aio.Channel, in_whose_name: InWhoseName) -> None:
        self._stub = batches_pb2_grpc.BatchServiceStub(channel)
        self._ask = UserCalls(in_whose_name, DEADLINE_S)

    async def create(
        self,
        caller: Caller,
        call: CallContext,
        *,
        endpoint: str,
        input_file_id: str,
        window_s: int,
        metadata: Mapping[str, str],
    ) -> Batch:
        """Begin a batch.

        Raises:
            NotFound: its file is not there.
            QuotaExceeded: the caller has too many that have not ended.
        """
        request = pb.CreateBatchRequest(
            owner=caller.user_id,
            application=caller.grant_id,
            key_id=caller.key_id,
            token_grant=caller.token_grant_id,
            endpoint=endpoint,
            input_file_id=input_file_id,
            window_s=window_s,
            metadata=metadata,
        )
        return _batch((await self._ask(self._stub.CreateBatch, request, call)).batch)

    async def find(self, caller: Caller, batch_id: str, call: CallContext) -> Batch:
        """Return a batch.

        Raises:
            NotFound: there is none, or it is another's.
        """
        request = pb.FindBatchRequest(owner=caller.user_id, application=caller.grant_id, batch_id=batch_id)
        return _batch((await self._ask(self._stub.FindBatch, request, call)).batch)

    async def page(self, caller: Caller, call: CallContext, *, after: str, limit: int) -> tuple[list[Batch], bool]:
        """Return a page of the caller's batches, newest first, and whether there are more.

        Raises:
            NotFound: `after` is no batch of theirs.
        """
        request = pb.ListBatchesRequest(owner=caller.user_id, application=caller.grant_id, after=after, limit=limit)
        answer = await self._ask(self._stub.ListBatches, request, call)
        return [_batch(batch) for batch in answer.batches], bool(answer.has_more)

    async def cancel(self, caller: Caller, batch_id: str, call: CallContext) -> Batch:
        """Begin no further line of a batch.

        Raises:
            NotFound: there is none, or it is another's.
            Conflict: it has ended.
        """
        request = pb.CancelBatchRequest(owner=caller.user_id, application=caller.grant_id, batch_id=batch_id)
        return _batch((await self._ask(self._stub.CancelBatch, request, call)).batch)


def _batch(message: pb.Batch) -> Batch:
    return Batch(
        id=message.id,
        endpoint=message.endpoint,
        input_file_id=message.input_file_id,
        status=message.status,
        output_file_id=message.output_file_id,
        error_file_id=message.error_file_id,
        created_at=message.created_at.ToDatetime(tzinfo=UTC),
        expires_at=message.expires_at.ToDatetime(tzinfo=UTC),
        moments_s=dict(message.moments_s),
        total=message.total,
        completed=message.completed,
        failed=message.failed,
        metadata=dict(message.metadata),
        errors=tuple(LineError(each.code, each.message, each.param, each.line) for each in message.errors),
    )
