"""GET and DELETE /v1/files/{id}, GET /v1/files/{id}/content: pictures that a model made, in OpenAI's shapes."""

from __future__ import annotations

from mimetypes import guess_extension
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends
from fastapi import Path as PathParam
from pydantic import BaseModel
from starlette.responses import Response

from servicekit.errors import ErrorReason, NotFound
from services.gateway.clients.router.files import FileClient, FileFacts
from services.gateway.edge.request_context import RequestContext, current_context
from services.gateway.files.access import CONTENT, FILE

# No browser shows it as a page of ours; the edge forbids caches and guesses at what it is.
_POLICY: Final = "sandbox; default-src 'none'"
_LONGEST_ID: Final = 128
Current = Annotated[RequestContext, Depends(current_context)]
FileId = Annotated[str, PathParam(description="As it stood in the answer: `file-…`.")]


class FileBody(BaseModel):
    """A file in OpenAI's words."""

    id: str
    object: Literal["file"] = "file"
    bytes: int
    created_at: int
    filename: str
    purpose: str = "vision"
    status: str = "processed"


def files_router(files: FileClient) -> APIRouter:
    """Return the routes; they show a caller what was made for them only."""
    router = APIRouter(tags=["files"])

    @router.get(FILE, response_model=FileBody)
    async def get_file(context: Current, file_id: FileId) -> FileBody:
        """Describe a file that a model made."""
        facts = await files.describe(context.known_caller.user_id, _checked(file_id), context.call)
        return _file_body(file_id, facts)

    @router.get(CONTENT, response_class=Response, responses={200: {"content": {"image/jpeg": {}}}})
    async def get_content(context: Current, file_id: FileId) -> Response:
        """Return the bytes of a file that a model made."""
        found = await files.content(context.known_caller.user_id, _checked(file_id), context.call)
        disposition = f'attachment; filename="{file_id}{guess_extension(found.mime) or ""}"'
        headers = {"Content-Security-Policy": _POLICY, "Content-Disposition": disposition}
        return Response(found.content, media_type=found.mime, headers=headers)

    @router.delete(FILE)
    async def delete_file(context: Current, file_id: FileId) -> dict[str, Any]:
        """Delete a file that a model made, at the provider too."""
        await files.delete(context.known_caller.user_id, _checked(file_id), context.call)
        return {"id": file_id, "object": "file", "deleted": True}

    return router


def _checked(file_id: str) -> str:
    """Return an id that can be one: it is to stand in a header."""
    if len(file_id) > _LONGEST_ID or not file_id.isascii() or not file_id.replace("-", "").replace("_", "").isalnum():
        raise NotFound(ErrorReason.NOT_FOUND, "There is no such file.", param="file_id")
    return file_id


def _file_body(file_id: str, facts: FileFacts) -> FileBody:
    created_at = int(facts.created_at.timestamp()) if facts.created_at is not None else 0
    return FileBody(id=file_id, bytes=facts.size_bytes, created_at=created_at, filename=facts.name)
