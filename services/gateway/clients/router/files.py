"""Files that models made, as the gateway needs them from the router."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from razvilka.router.v1 import router_pb2 as pb

from servicekit.call import CallContext
from services.gateway.clients.timestamps import moment
from services.gateway.clients.user_contexts import InWhoseName, UserCalls

DEADLINE_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What is known of a file."""

    name: str
    size_bytes: int
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class FileContent:
    """What is in a file."""

    mime: str
    content: bytes


class FileClient:
    """Finds files by the ids that stood in answers; `owner` is the user for whom the answer was made.

    `in_whose_name` shows the router that the owner asks.
    """

    def __init__(self, stub: Any, in_whose_name: InWhoseName) -> None:
        self._stub = stub
        self._ask = UserCalls(in_whose_name, DEADLINE_S)

    async def describe(self, owner: str, file_id: str, call: CallContext) -> FileFacts:
        """Return what is known of a file.

        Raises:
            NotFound: there is none, or it is another's.
        """
        request = pb.GetFileRequest(owner=owner, file_id=file_id)
        found = await self._ask(self._stub.GetFile, request, call)
        return FileFacts(found.name, found.size_bytes, moment(found, "created_at"))

    async def content(self, owner: str, file_id: str, call: CallContext) -> FileContent:
        """Return what is in a file.

        Raises:
            NotFound: there is none, or it is another's.
        """
        request = pb.GetFileRequest(owner=owner, file_id=file_id, with_content=True)
        found = await self._ask(self._stub.GetFile, request, call)
        return FileContent(found.mime, found.content)

    async def delete(self, owner: str, file_id: str, call: CallContext) -> None:
        """Delete a file.

        Raises:
            NotFound: there is none, or it is another's.
        """
        request = pb.DeleteFileRequest(owner=owner, file_id=file_id)
        await self._ask(self._stub.DeleteFile, request, call)
