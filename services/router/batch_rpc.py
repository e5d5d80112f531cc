"""BatchService over gRPC: decode, call, encode; no rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from razvilka.router.v1 import batches_pb2 as pb
from razvilka.router.v1 import batches_pb2_grpc

from services.router.batches.applications import Applications
from services.router.batches.domain.values import (
    Batch,
    ClaimedLine,
    LineError,
    LineResult,
    NewBatch,
    NewLine,
    Owner,
    Page,
    StoredFile,
)
from services.router.batches.files import CallerFiles
from services.router.batches.orders import BatchOrders
from services.router.batches.work import BatchWork

Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"


@dataclass(frozen=True, slots=True)
class BatchRoom:
    """The use cases behind the servicer."""

    files: CallerFiles
    orders: BatchOrders
    work: BatchWork
    applications: Applications


class BatchServicer(batches_pb2_grpc.BatchServiceServicer):
    """Implements BatchService of razvilka.router.v1."""

    def __init__(self, room: BatchRoom) -> None:
        self._files = room.files
        self._orders = room.orders
        self._work = room.work
        self._applications = room.applications

    async def BeginFile(self, request: pb.BeginFileRequest, context: Context) -> pb.BeginFileResponse:
        """Start an upload."""
        return pb.BeginFileResponse(file_id=await self._files.begin(_owner(request), request.filename))

    async def AddFilePart(self, request: pb.AddFilePartRequest, context: Context) -> pb.AddFilePartResponse:
        """Append a part."""
        await self._files.add_part(_owner(request), request.file_id, request.number, request.content)
        return pb.AddFilePartResponse()

    async def CompleteFile(self, request: pb.CompleteFileRequest, context: Context) -> pb.CompleteFileResponse:
        """End an upload."""
        file = await self._files.complete(_owner(request), request.file_id, request.purpose, request.expires_after_s)
        return pb.CompleteFileResponse(file=_file_to_proto(file))

    async def FindFile(self, request: pb.FindFileRequest, context: Context) -> pb.FindFileResponse:
        """Describe a file."""
        return pb.FindFileResponse(file=_file_to_proto(await self._files.find(_owner(request), request.file_id)))

    async def ReadFilePart(self, request: pb.ReadFilePartRequest, context: Context) -> pb.ReadFilePartResponse:
        """Return a part."""
        content = await self._files.read_part(_owner(request), request.file_id, request.number)
        return pb.ReadFilePartResponse(content=content)

    async def ListFiles(self, request: pb.ListFilesRequest, context: Context) -> pb.ListFilesResponse:
        """Return a page of files."""
        page = Page(request.after, request.limit, request.oldest_first)
        files, has_more = await self._files.page(_owner(request), request.purpose, page)
        return pb.ListFilesResponse(files=map(_file_to_proto, files), has_more=has_more)

    async def RemoveFile(self, request: pb.RemoveFileRequest, context: Context) -> pb.RemoveFileResponse:
        """Delete a file."""
        await self._files.remove(_owner(request), request.file_id)
        return pb.RemoveFileResponse()

    async def CreateBatch(self, request: pb.CreateBatchRequest, context: Context) -> pb.CreateBatchResponse:
        """Take a batch in."""
        order = NewBatch(
            request.endpoint,
            request.input_file_id,
            request.window_s,
            request.key_id,
            dict(request.metadata),
            request.token_grant,
        )
        return pb.CreateBatchResponse(batch=_batch_to_proto(await self._orders.create(_owner(request), order)))

    async def FindBatch(self, request: pb.FindBatchRequest, context: Context) -> pb.FindBatchResponse:
        """Describe a batch."""
        return pb.FindBatchResponse(batch=_batch_to_proto(await self._orders.find(_owner(request), request.batch_id)))

    async def ListBatches(self, request: pb.ListBatchesRequest, context: Context) -> pb.ListBatchesResponse:
        """Return a page of batches."""
        batches, has_more = await self._orders.page(_owner(request), Page(request.after, request.limit))
        return pb.ListBatchesResponse(batches=map(_batch_to_proto, batches), has_more=has_more)

    async def CancelBatch(self, request: pb.CancelBatchRequest, context: Context) -> pb.CancelBatchResponse:
        """Begin no further line."""
        batch = await self._orders.cancel(_owner(request), request.batch_id)
        return pb.CancelBatchResponse(batch=_batch_to_proto(batch))

    async def ClaimBatch(self, request: pb.ClaimBatchRequest, context: Context) -> pb.ClaimBatchResponse:
        """Give a worker a file to look through."""
        found = await self._work.claim_batch(request.worker)
        if found is None:
            return pb.ClaimBatchResponse()
        return pb.ClaimBatchResponse(batch_id=found.id, endpoint=found.endpoint, parts=found.parts)

    async def ReadInput(self, request: pb.ReadInputRequest, context: Context) -> pb.ReadInputResponse:
        """Return a part of the file."""
        content = await self._work.read_input(request.worker, request.batch_id, request.number)
        return pb.ReadInputResponse(content=content)

    async def AddLines(self, request: pb.AddLinesRequest, context: Context) -> pb.AddLinesResponse:
        """Keep lines."""
        lines = [NewLine(line.number, line.custom_id, line.body) for line in request.lines]
        await self._work.add_lines(request.worker, request.batch_id, lines)
        return pb.AddLinesResponse()

    async def StartBatch(self, request: pb.StartBatchRequest, context: Context) -> pb.StartBatchResponse:
        """Let the lines be claimed."""
        errors = [LineError(each.code, each.message, each.param, each.line) for each in request.errors]
        await self._work.start_batch(request.worker, request.batch_id, errors)
        return pb.StartBatchResponse()

    async def ClaimLines(self, request: pb.ClaimLinesRequest, context: Context) -> pb.ClaimLinesResponse:
        """Give a worker lines."""
        lines = await self._work.claim_lines(request.worker, request.count)
        return pb.ClaimLinesResponse(lines=map(_line_to_proto, lines))

    async def RenewLines(self, request: pb.RenewLinesRequest, context: Context) -> pb.RenewLinesResponse:
        """Keep what a worker has its own."""
        await self._work.renew(request.worker)
        return pb.RenewLinesResponse()

    async def AddAnswerPart(self, request: pb.AddAnswerPartRequest, context: Context) -> pb.AddAnswerPartResponse:
        """Keep the beginning of a long answer."""
        await self._work.add_answer_part(request.worker, request.batch_id, request.number, request.part, request.body)
        return pb.AddAnswerPartResponse()

    async def FinishLine(self, request: pb.FinishLineRequest, context: Context) -> pb.FinishLineResponse:
        """Keep what became of a line."""
        result = LineResult(request.request_id, request.http_status, request.body)
        await self._work.finish(request.worker, request.batch_id, request.number, result, parts=request.parts)
        return pb.FinishLineResponse()

    async def ReleaseLine(self, request: pb.ReleaseLineRequest, context: Context) -> pb.ReleaseLineResponse:
        """Give a line back."""
        await self._work.release(
            request.worker, request.batch_id, request.number, request.after_s, was_tried=request.was_tried
        )
        return pb.ReleaseLineResponse()

    async def ListApplications(
        self, request: pb.ListApplicationsRequest, context: Context
    ) -> pb.ListApplicationsResponse:
        """Return a page of the applications that have something."""
        return pb.ListApplicationsResponse(applications=await self._applications.page(request.after, request.limit))

    async def EndApplications(self, request: pb.EndApplicationsRequest, context: Context) -> pb.EndApplicationsResponse:
        """Delete what applications have."""
        await self._applications.end(request.applications)
        return pb.EndApplicationsResponse()


def _owner(request: Any) -> Owner:
    return Owner(request.owner, request.application)


def _file_to_proto(file: StoredFile) -> pb.StoredFile:
    return pb.StoredFile(
        id=file.id,
        filename=file.filename,
        purpose=file.purpose,
        size_bytes=file.size_bytes,
        parts=file.parts,
        created_at=_timestamp(file.created_at),
        expires_at=_timestamp(file.expires_at),
    )


def _batch_to_proto(batch: Batch) -> pb.Batch:
    return pb.Batch(
        id=batch.id,
        endpoint=batch.endpoint,
        input_file_id=batch.input_file_id,
        status=batch.status,
        output_file_id=batch.output_file_id,
        error_file_id=batch.error_file_id,
        created_at=_timestamp(batch.created_at),
        expires_at=_timestamp(batch.expires_at),
        moments_s=batch.moments_s,
        total=batch.counts.total,
        completed=batch.counts.completed,
        failed=batch.counts.failed,
        metadata=batch.metadata,
        errors=[
            pb.LineError(code=each.code, message=each.message, param=each.param, line=each.line)
            for each in batch.errors
        ],
    )


def _line_to_proto(line: ClaimedLine) -> pb.ClaimedLine:
    return pb.ClaimedLine(
        batch_id=line.batch_id,
        number=line.number,
        body=line.body,
        owner=line.owner.user_id,
        application=line.owner.application,
        key_id=line.key_id,
        endpoint=line.endpoint,
        attempt=line.attempt,
        expires_at=_timestamp(line.expires_at),
        token_grant=line.token_grant,
    )


def _timestamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
