"""POST /v1/files: a form is read, and its file handed on, in parts of one size, while it comes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import structlog
from starlette.types import Receive, Scope

from servicekit.errors import ServiceError
from servicekit.lifecycle import Background
from services.gateway.clients.router.stored_files import StoredFile, StoredFileClient
from services.gateway.edge.reading.body import BodyLimits, feed_body
from services.gateway.edge.reading.json_body import invalid_field
from services.gateway.edge.request_context import RequestContext
from services.gateway.files.multipart import MultipartForm
from services.gateway.work_settings import BatchSettings

log = structlog.get_logger()

PART_BYTES: Final = 1024 * 1024
# Boundaries and fields around the file.
AROUND_BYTES: Final = 64 * 1024
SHORTEST_S: Final = 3600


class Uploading:
    """Takes files in; `tasks` own what is forgotten of those that break off."""

    def __init__(self, files: StoredFileClient, settings: BatchSettings, tasks: Background) -> None:
        self._files = files
        self._tasks = tasks
        size = settings.file_mb * 1024 * 1024 + AROUND_BYTES
        self._limits = BodyLimits(size, settings.upload_s, depth=0, elements=0)

    async def upload(self, context: RequestContext, scope: Scope, receive: Receive) -> StoredFile:
        """Read the form of a request and keep its file.

        Raises:
            InvalidRequest: it is no form, a field is wrong, or the file too large.
            QuotaExceeded: the caller has too much here.
            ClientDisconnected: the caller left.
        """
        writing = _Writing(self._files, context)
        try:
            form = MultipartForm(scope, writing.write)
            await feed_body(scope, receive, self._limits, form.feed)
            form.end()
            return await writing.complete(_order(form.fields))
        except BaseException:
            # Nobody has its id, and it would take room of its owner's for as long as an upload may take.
            self._tasks.start(writing.forget(), name="files.forget")
            raise


@dataclass(frozen=True, slots=True)
class _Order:
    purpose: str
    expires_after_s: int


class _Writing:
    """One file on its way to the router."""

    def __init__(self, files: StoredFileClient, context: RequestContext) -> None:
        self._files = files
        self._context = context
        self._id = ""
        self._parts = 0
        self._buffer = bytearray()

    async def write(self, filename: str, piece: bytes) -> None:
        """Take a piece of the file."""
        if not self._id:
            self._id = await self._files.begin(self._context.known_caller, filename, self._context.call)
        self._buffer += piece
        while len(self._buffer) >= PART_BYTES:
            await self._send(bytes(self._buffer[:PART_BYTES]))
            del self._buffer[:PART_BYTES]

    async def _send(self, part: bytes) -> None:
        context = self._context
        await self._files.add_part(context.known_caller, self._id, self._parts, part, context.call)
        self._parts += 1

    async def complete(self, order: _Order) -> StoredFile:
        """Say that this was all."""
        if not self._id:
            raise invalid_field("file", "The file is empty")
        if self._buffer:
            await self._send(bytes(self._buffer))
        context = self._context
        return await self._files.complete(
            context.known_caller, self._id, order.purpose, order.expires_after_s, context.call
        )

    async def forget(self) -> None:
        """Delete what has come; what cannot be deleted now is deleted by the router in an hour."""
        if not self._id:
            return
        try:
            await self._files.remove(self._context.known_caller, self._id, self._context.call)
        except ServiceError as exc:
            log.warning("files.not_forgotten", reason=exc.reason.value)


def _order(fields: dict[str, str]) -> _Order:
    purpose = fields.get("purpose", "")
    if not purpose:
        raise invalid_field("purpose", "It must be said what the file is for: `batch`")
    seconds = fields.get("expires_after[seconds]", "")
    if not seconds:
        return _Order(purpose, 0)
    if not seconds.isdecimal() or len(seconds) > 9 or int(seconds) < SHORTEST_S:
        raise invalid_field("expires_after[seconds]", f"A file is kept for {SHORTEST_S} seconds or more")
    return _Order(purpose, int(seconds))
