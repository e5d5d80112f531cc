"""The router's room of files and batches, as the gateway's tests play it: it is empty."""

from __future__ import annotations

from typing import Any

from razvilka.router.v1 import batches_pb2 as pb
from razvilka.router.v1 import batches_pb2_grpc

from servicekit.errors import ErrorReason, NotFound


async def not_there(_: Any, request: Any, context: Any) -> Any:
    """Refuse."""
    raise NotFound(ErrorReason.NOT_FOUND, "There is no such thing.")


class EmptyBatches(batches_pb2_grpc.BatchServiceServicer):
    """Has no files, no batches, and no work."""

    FindFile = ReadFilePart = RemoveFile = FindBatch = CancelBatch = CreateBatch = not_there

    async def ClaimBatch(self, request: Any, context: Any) -> pb.ClaimBatchResponse:
        return pb.ClaimBatchResponse()

    async def ClaimLines(self, request: Any, context: Any) -> pb.ClaimLinesResponse:
        return pb.ClaimLinesResponse()

    async def ListFiles(self, request: Any, context: Any) -> pb.ListFilesResponse:
        return pb.ListFilesResponse()

    async def ListBatches(self, request: Any, context: Any) -> pb.ListBatchesResponse:
        return pb.ListBatchesResponse()
