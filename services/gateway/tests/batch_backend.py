"""The room of files and batches, as the gateway's tests play it: empty but for the lines that a test puts in."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from razvilka.router.v1 import batches_pb2 as pb
from razvilka.router.v1 import batches_pb2_grpc

from servicekit.errors import ErrorReason, NotFound, ServiceError, Unavailable

# The id of every upload.
UPLOAD: Final = "file-" + "0" * 24


async def not_there(_: Any, request: Any, context: Any) -> Any:
    """Refuse."""
    raise NotFound(ErrorReason.NOT_FOUND, "There is no such thing.")


class FakeBatches(batches_pb2_grpc.BatchServiceServicer):
    """Has no files; takes uploads, and a batch when it may; gives out `lines` and hears what becomes of them, and of
    `applications`.

    `failures` come in place of the next things that it would hear; `unheard` claims are counted and their answers lost.
    """

    def __init__(self) -> None:
        self.lines: list[pb.ClaimedLine] = []
        self.heard: asyncio.Queue[Any] = asyncio.Queue()
        self.may_create: asyncio.Event | None = None
        self.is_creating = asyncio.Event()
        self.removed: asyncio.Queue[str] = asyncio.Queue()
        self.parts: asyncio.Queue[Any] = asyncio.Queue()
        self.failures: list[ServiceError] = []
        self.unheard = 0
        self.lost_claims: list[str] = []
        self.renewed: asyncio.Queue[str] = asyncio.Queue()
        self.applications: list[str] = []
        self.ended: asyncio.Queue[list[str]] = asyncio.Queue()

    FindFile = ReadFilePart = FindBatch = CancelBatch = not_there

    async def CreateBatch(self, request: Any, context: Any) -> pb.CreateBatchResponse:
        if self.may_create is None:
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such thing.", param="file_id")
        self.is_creating.set()
        await self.may_create.wait()
        made = pb.Batch(id="batch_1", endpoint=request.endpoint, input_file_id=UPLOAD, status="validating")
        return pb.CreateBatchResponse(batch=made)

    async def BeginFile(self, request: Any, context: Any) -> pb.BeginFileResponse:
        return pb.BeginFileResponse(file_id=UPLOAD)

    async def AddFilePart(self, request: Any, context: Any) -> pb.AddFilePartResponse:
        self.parts.put_nowait(request)
        return pb.AddFilePartResponse()

    async def RemoveFile(self, request: Any, context: Any) -> pb.RemoveFileResponse:
        if request.file_id != UPLOAD:
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such thing.")
        self.removed.put_nowait(request.file_id)
        return pb.RemoveFileResponse()

    async def ClaimBatch(self, request: Any, context: Any) -> pb.ClaimBatchResponse:
        return pb.ClaimBatchResponse()

    async def ClaimLines(self, request: Any, context: Any) -> pb.ClaimLinesResponse:
        if self.unheard:
            self.unheard -= 1
            self.lost_claims.append(request.worker)
            raise Unavailable(ErrorReason.SERVICE_UNAVAILABLE, "The answer was lost.")
        given, self.lines = self.lines[: request.count], self.lines[request.count :]
        return pb.ClaimLinesResponse(lines=given)

    async def AddAnswerPart(self, request: Any, context: Any) -> pb.AddAnswerPartResponse:
        self.heard.put_nowait(request)
        return pb.AddAnswerPartResponse()

    async def RenewLines(self, request: Any, context: Any) -> pb.RenewLinesResponse:
        self.renewed.put_nowait(request.worker)
        return pb.RenewLinesResponse()

    async def FinishLine(self, request: Any, context: Any) -> pb.FinishLineResponse:
        if self.failures:
            raise self.failures.pop()
        self.heard.put_nowait(request)
        return pb.FinishLineResponse()

    async def ReleaseLine(self, request: Any, context: Any) -> pb.ReleaseLineResponse:
        self.heard.put_nowait(request)
        return pb.ReleaseLineResponse()

    async def ListFiles(self, request: Any, context: Any) -> pb.ListFilesResponse:
        if request.after:
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such thing.", param="file_id")
        return pb.ListFilesResponse()

    async def ListBatches(self, request: Any, context: Any) -> pb.ListBatchesResponse:
        if request.after:
            raise NotFound(ErrorReason.NOT_FOUND, "There is no such thing.", param="batch_id")
        return pb.ListBatchesResponse()

    async def ListApplications(self, request: Any, context: Any) -> pb.ListApplicationsResponse:
        if self.failures:
            raise self.failures.pop()
        found = sorted(each for each in self.applications if each > request.after)
        return pb.ListApplicationsResponse(applications=found[: request.limit])

    async def EndApplications(self, request: Any, context: Any) -> pb.EndApplicationsResponse:
        self.ended.put_nowait(list(request.applications))
        return pb.EndApplicationsResponse()
