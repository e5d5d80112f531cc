"""Files that callers put here, as the gateway needs them from the router."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import grpc
from razvilka.router.v1 import batches_pb2 as pb
from razvilka.router.v1 import batches_pb2_grpc

from servicekit.call import CallContext
from services.gateway.clients.caller import Caller
from services.gateway.clients.user_contexts import InWhoseName, UserCalls

DEADLINE_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file without its content, which lies in `parts` parts."""

    id: str
    filename: str
    purpose: str
    size_bytes: int
    parts: int
    created_at: datetime
    expires_at: datetime


class StoredFileClient:
    """Puts files there and finds them, each for its owner: a user, or an application in the user's name."""

    def __init__(self, channel: grpc.aio.Channel, in_whose_name: InWhoseName) -> None:
        self._stub = batches_pb2_grpc.BatchServiceStub(channel)
        self._ask = UserCalls(in_whose_name, DEADLINE_S)

    async def begin(self, caller: Caller, filename: str, call: CallContext) -> str:
        """Start an upload; return the id of the file.

        Raises:
            QuotaExceeded: the caller has too much there.
        """
        request = pb.BeginFileRequest(owner=caller.user_id, application=caller.grant_id, filename=filename)
        return str((await self._ask(self._stub.BeginFile, request, call)).file_id)

    async def add_part(self, caller: Caller, file_id: str, number: int, content: bytes, call: CallContext) -> None:
        """Append a part, from 0, of about 1 MiB.

        Raises:
            InvalidRequest: the file becomes too large.
            QuotaExceeded: all files of the caller together do.
        """
        request = pb.AddFilePartRequest(
            owner=caller.user_id, application=caller.grant_id, file_id=file_id, number=number, content=content
        )
        await self._ask(self._stub.AddFilePart, request, call)

    async def complete(
        self, caller: Caller, file_id: str, purpose: str, expires_after_s: int, call: CallContext
    ) -> StoredFile:
        """End an upload; `expires_after_s` of 0: it is kept as long as files are.

        Raises:
            InvalidRequest: there are no files for this purpose.
        """
        request = pb.CompleteFileRequest(
            owner=caller.user_id,
            application=caller.grant_id,
            file_id=file_id,
            purpose=purpose,
            expires_after_s=expires_after_s,
        )
        return _file((await self._ask(self._stub.CompleteFile, request, call)).file)

    async def find(self, caller: Caller, file_id: str, call: CallContext) -> StoredFile:
        """Return what is known of a file.

        Raises:
            NotFound: there is none, or it is another's.
        """
        request = pb.FindFileRequest(owner=caller.user_id, application=caller.grant_id, file_id=file_id)
        return _file((await self._ask(self._stub.FindFile, request, call)).file)

    async def parts(self, caller: Caller, file: StoredFile, call: CallContext) -> AsyncIterator[bytes]:
        """Yield the content of a file that was found.

        Raises:
            NotFound: it was deleted meanwhile.
        """
        for number in range(file.parts):
            request = pb.ReadFilePartRequest(
                owner=caller.user_id, application=caller.grant_id, file_id=file.id, number=number
            )
            yield (await self._ask(self._stub.ReadFilePart, request, call)).content

    async def page(
        self, caller: Caller, call: CallContext, *, purpose: str, after: str, limit: int, oldest_first: bool
    ) -> tuple[list[StoredFile], bool]:
        """Return a page of the caller's files, and whether there are more.

        Raises:
            NotFound: `after` is no file of theirs.
        """
        request = pb.ListFilesRequest(
            owner=caller.user_id,
            application=caller.grant_id,
            purpose=purpose,
            after=after,
            limit=limit,
            oldest_first=oldest_first,
        )
        answer = await self._ask(self._stub.ListFiles, request, call)
        return [_file(file) for file in answer.files], bool(answer.has_more)

    async def remove(self, caller: Caller, file_id: str, call: CallContext) -> None:
        """Delete a file, or an upload that broke off.

        Raises:
            NotFound: there is none, or it is another's.
        """
        request = pb.RemoveFileRequest(owner=caller.user_id, application=caller.grant_id, file_id=file_id)
        await self._ask(self._stub.RemoveFile, request, call)


def _file(message: pb.StoredFile) -> StoredFile:
    return StoredFile(
        message.id,
        message.filename,
        message.purpose,
        message.size_bytes,
        message.parts,
        message.created_at.ToDatetime(tzinfo=UTC),
        message.expires_at.ToDatetime(tzinfo=UTC),
    )
