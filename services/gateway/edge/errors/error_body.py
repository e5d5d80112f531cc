"""The body of every error, as the OpenAPI description shows it."""

from __future__ import annotations

from pydantic import BaseModel


class ErrorObject(BaseModel):
    """What went wrong, in both dialects: release 1.0 (code, message, details) and OpenAI (type, param)."""

    code: str
    message: str
    type: str
    param: str | None
    details: dict[str, str]


class ErrorBody(BaseModel):
    """The body of every error."""

    error: ErrorObject
