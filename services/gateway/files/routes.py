"""/v1/files in OpenAI's shapes: what callers put here for batches, and pictures that a model made.

Files of both kinds are found by their ids; only the first kind is put here and listed.
"""

from __future__ import annotations

from mimetypes import guess_extension
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request
from fastapi import Path as PathParam
from starlette.responses import Response, StreamingResponse

from servicekit.errors import ErrorReason, NotFound
from services.gateway.clients.router.files import FileClient, FileFacts
from services.gateway.clients.router.stored_files import StoredFile, StoredFileClient
from services.gateway.edge.request_context import Context, RequestContext
from services.gateway.files.bodies import FileBody, FileListBody
from services.gateway.files.needs import CONTENT, FILE, FILES
from services.gateway.files.uploading import Uploading
from services.gateway.pages.policy import FILE_POLICY

_LONGEST_ID: Final = 128
_STORED_ID: Final = len("file-") + 24
_BINARY: Final = {"type": "string", "format": "binary"}
_FORM: Final = {
    "type": "object",
    "required": ["file", "purpose"],
    "properties": {
        "file": _BINARY,
        "purpose": {"type": "string", "enum": ["batch"]},
        "expires_after[anchor]": {"type": "string", "enum": ["created_at"]},
        "expires_after[seconds]": {"type": "integer", "minimum": 3600},
    },
}
UPLOAD_DESCRIPTION: Final = {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FORM}}}}
Limit = Annotated[int, Query(ge=1, le=10_000)]
Order = Literal["asc", "desc"]
FileId = Annotated[str, PathParam(description="As it stood in the answer: `file-…`.")]


def files_router(files: FileClient, stored: StoredFileClient, uploading: Uploading) -> APIRouter:
    """Return the routes; they show a caller what was made for them, or what they put here, only."""
    router = APIRouter(tags=["files"])

    @router.post(FILES, response_model=FileBody, openapi_extra=UPLOAD_DESCRIPTION)
    async def upload_file(context: Context, request: Request) -> FileBody:
        """Put a file here, for a batch: JSON Lines, at most 100 MB."""
        return _stored_body(await uploading.upload(context, request.scope, request.receive))

    @router.get(FILES, response_model=FileListBody)
    async def list_files(
        context: Context, purpose: str = "", limit: Limit = 10_000, order: Order = "desc", after: str = ""
    ) -> FileListBody:
        """Return a page of the files that the credential put here, and of those that its batches wrote."""
        caller, oldest_first = context.known_caller, order == "asc"
        context.call_field("file_id", "after")
        found, has_more = await stored.page(
            caller, context.call, purpose=purpose, after=after, limit=limit, oldest_first=oldest_first
        )
        ids: list[str | None] = [file.id for file in found]
        return FileListBody(
            data=list(map(_stored_body, found)),
            first_id=ids[0] if ids else None,
            last_id=ids[-1] if ids else None,
            has_more=has_more,
        )

    @router.get(FILE, response_model=FileBody)
    async def get_file(context: Context, file_id: FileId) -> FileBody:
        """Describe a file."""
        if _is_stored(file_id):
            return _stored_body(await stored.find(context.known_caller, file_id, context.call))
        facts = await files.describe(context.known_caller.user_id, _checked(file_id), context.call)
        return _file_body(file_id, facts)

    @router.get(
        CONTENT, response_class=Response, responses={200: {"content": {"image/jpeg": {}, "application/jsonl": {}}}}
    )
    async def get_content(context: Context, file_id: FileId) -> Response:
        """Return the bytes of a file."""
        if _is_stored(file_id):
            return await _stored_content(stored, context, file_id)
        found = await files.content(context.known_caller.user_id, _checked(file_id), context.call)
        disposition = f'attachment; filename="{file_id}{guess_extension(found.mime) or ""}"'
        headers = {"Content-Security-Policy": FILE_POLICY, "Content-Disposition": disposition}
        return Response(found.content, media_type=found.mime, headers=headers)

    @router.delete(FILE)
    async def delete_file(context: Context, file_id: FileId) -> dict[str, Any]:
        """Delete a file; one that a model made, at the provider too."""
        if _is_stored(file_id):
            await stored.remove(context.known_caller, file_id, context.call)
        else:
            await files.delete(context.known_caller.user_id, _checked(file_id), context.call)
        return {"id": file_id, "object": "file", "deleted": True}

    return router


def _is_stored(file_id: str) -> bool:
    """Tell the ids of files that lie here from those of files that lie at a provider, which are longer."""
    return len(file_id) == _STORED_ID


async def _stored_content(stored: StoredFileClient, context: RequestContext, file_id: str) -> Response:
    file = await stored.find(context.known_caller, file_id, context.call)
    parts = stored.parts(context.known_caller, file, context.call)
    headers = {
        "Content-Security-Policy": FILE_POLICY,
        "Content-Disposition": f'attachment; filename="{file_id}.jsonl"',
        "Content-Length": str(file.size_bytes),
    }
    return StreamingResponse(parts, media_type="application/jsonl", headers=headers)


def _checked(file_id: str) -> str:
    """Return an id that can be one: it is to stand in a header."""
    if len(file_id) > _LONGEST_ID or not file_id.isascii() or not file_id.replace("-", "").replace("_", "").isalnum():
        raise NotFound(ErrorReason.NOT_FOUND, "There is no such file.", param="file_id")
    return file_id


def _file_body(file_id: str, facts: FileFacts) -> FileBody:
    created_at = int(facts.created_at.timestamp()) if facts.created_at is not None else 0
    return FileBody(id=file_id, bytes=facts.size_bytes, created_at=created_at, filename=facts.name)


def _stored_body(file: StoredFile) -> FileBody:
    return FileBody(
        id=file.id,
        bytes=file.size_bytes,
        created_at=int(file.created_at.timestamp()),
        expires_at=int(file.expires_at.timestamp()),
        filename=file.filename,
        purpose=file.purpose,
    )
