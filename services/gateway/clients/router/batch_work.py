"""The work on batches, as a gateway takes it from the router: files to look through, lines to answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final

import grpc
from razvilka.router.v1 import batches_pb2 as pb
from razvilka.router.v1 import batches_pb2_grpc

from servicekit import rpc_client
from servicekit.call import current_call
from services.gateway.clients.router.batches import LineError

DEADLINE_S: Final = 10.0
# Of an answer in one message, which holds 24 MiB.
PART_BYTES: Final = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class UncheckedBatch:
    """A batch whose file is to be looked through; no parts: the file is gone."""

    id: str
    endpoint: str
    parts: int


@dataclass(frozen=True, slots=True)
class NewLine:
    """A line of a batch: its number in the file, from 1, the caller's name for it, and what is asked."""

    number: int
    custom_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class ClaimedLine:
    """A line to be answered for its owner; `attempt` from 1.

    `claim` is the name under which the router gave it out, with all that it gave out in that answer and nothing else.
    """

    batch_id: str
    number: int
    body: bytes
    owner: str
    application: str
    key_id: str
    endpoint: str
    attempt: int
    expires_at: datetime
    claim: str
    token_grant: str = ""

    @property
    def name(self) -> str:
        """Return what stands for the line and no other, whoever answers it."""
        return f"{self.batch_id}:{self.number}"


class BatchWorkClient:
    """Takes work in the name of one worker, which no other has.

    Lines are claimed each time under another name. What is renewed is what was heard of: lines whose answer never came
    belong to nobody here, and their lease must end.
    """

    def __init__(self, channel: grpc.aio.Channel, worker: str) -> None:
        self._stub = batches_pb2_grpc.BatchServiceStub(channel)
        self._worker = worker
        self._claims = count(1)

    async def _ask(self, method: Any, request: Any, claim: str = "") -> Any:
        request.worker = claim or self._worker
        return await rpc_client.unary(method, request, deadline_s=DEADLINE_S, call=current_call())

    async def claim_batch(self) -> UncheckedBatch | None:
        """Take a batch whose file is to be looked through, None when there is none."""
        answer = await self._ask(self._stub.ClaimBatch, pb.ClaimBatchRequest())
        return UncheckedBatch(answer.batch_id, answer.endpoint, answer.parts) if answer.batch_id else None

    async def read_input(self, batch_id: str, number: int) -> bytes:
        """Return a part of its file.

        Raises:
            NotFound: the file is gone.
            Conflict: the batch is another worker's by now; so below.
        """
        request = pb.ReadInputRequest(batch_id=batch_id, number=number)
        return bytes((await self._ask(self._stub.ReadInput, request)).content)

    async def add_lines(self, batch_id: str, lines: Sequence[NewLine]) -> None:
        """Keep lines."""
        new = [pb.NewLine(number=line.number, custom_id=line.custom_id, body=line.body) for line in lines]
        await self._ask(self._stub.AddLines, pb.AddLinesRequest(batch_id=batch_id, lines=new))

    async def start_batch(self, batch_id: str, errors: Sequence[LineError]) -> None:
        """Let its lines be answered; with errors it has failed."""
        told = [pb.LineError(code=each.code, message=each.message, param=each.param, line=each.line) for each in errors]
        await self._ask(self._stub.StartBatch, pb.StartBatchRequest(batch_id=batch_id, errors=told))

    async def claim_lines(self, most: int) -> list[ClaimedLine]:
        """Take lines to answer."""
        claim = f"{self._worker}.{next(self._claims)}"
        answer = await self._ask(self._stub.ClaimLines, pb.ClaimLinesRequest(count=most), claim)
        return [_line(line, claim) for line in answer.lines]

    async def renew(self, claims: Iterable[str]) -> None:
        """Keep what was claimed under these names."""
        renewals = [self._ask(self._stub.RenewLines, pb.RenewLinesRequest(), claim) for claim in claims]
        # One that fails must not let the leases of all others end.
        for failure in await asyncio.gather(*renewals, return_exceptions=True):
            if isinstance(failure, BaseException):
                raise failure

    async def finish(self, line: ClaimedLine, request_id: str, http_status: int, body: bytes) -> None:
        """Say what became of a line; a long answer goes in parts."""
        batch_id, number = line.batch_id, line.number
        parts = max(0, len(body) - 1) // PART_BYTES
        for part in range(parts):
            content = body[part * PART_BYTES : (part + 1) * PART_BYTES]
            begun = pb.AddAnswerPartRequest(batch_id=batch_id, number=number, part=part, body=content)
            await self._ask(self._stub.AddAnswerPart, begun, line.claim)
        request = pb.FinishLineRequest(
            batch_id=batch_id,
            number=number,
            request_id=request_id,
            http_status=http_status,
            body=body[parts * PART_BYTES :],
            parts=parts,
        )
        await self._ask(self._stub.FinishLine, request, line.claim)

    async def release(self, line: ClaimedLine, after_s: float, *, was_tried: bool) -> None:
        """Give a line back, to be answered after a while."""
        request = pb.ReleaseLineRequest(
            batch_id=line.batch_id, number=line.number, after_s=after_s, was_tried=was_tried
        )
        await self._ask(self._stub.ReleaseLine, request, line.claim)


def _line(message: pb.ClaimedLine, claim: str) -> ClaimedLine:
    return ClaimedLine(
        message.batch_id,
        message.number,
        message.body,
        message.owner,
        message.application,
        message.key_id,
        message.endpoint,
        message.attempt,
        message.expires_at.ToDatetime(tzinfo=UTC),
        claim,
        message.token_grant,
    )
