"""Bodies of the routes of files, in OpenAI's words."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel


class FileBody(BaseModel):
    """A file in OpenAI's words; null: it lies at the provider, who does not say how long."""

    id: str
    object: Literal["file"] = "file"
    bytes: int
    created_at: int
    expires_at: int | None = None
    filename: str
    purpose: str = "vision"
    status: str = "processed"


class FileListBody(BaseModel):
    """A page of files that callers put here, or that batches wrote."""

    object: Literal["list"] = "list"
    data: list[FileBody]
    first_id: str | None
    last_id: str | None
    has_more: bool
