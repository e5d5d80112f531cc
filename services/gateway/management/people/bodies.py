"""Bodies of /v1/admin/users and /v1/admin/audit."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from services.gateway.edge.reading.json_body import StrictModel

TierName = Literal["free", "pro", "enterprise"]


class TierBody(StrictModel):
    """The tier that an account gets."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"tier": "pro"}]})

    tier: TierName


class TierSet(BaseModel):
    """The tier that an account has now."""

    id: str
    tier: TierName


class ListedUserBody(BaseModel):
    """An account. `live_keys` are neither revoked nor expired."""

    id: str
    email: str
    email_verified: bool
    name: str
    tier: TierName
    is_admin: bool
    disabled: bool
    created_at: datetime | None
    live_keys: int


class UserPage(BaseModel):
    """A page of accounts, the newest first."""

    data: list[ListedUserBody]
    has_more: bool
    next_cursor: str | None


class AuditRowBody(BaseModel):
    """A row of the audit log; `hash` seals it and all rows before it."""

    number: int
    at: datetime | None
    actor: str
    action: str
    subject: str
    details: dict[str, Any]
    hash: str


class AuditPage(BaseModel):
    """A page of the audit log, the newest first; `next_before` is the `before` of the next page."""

    data: list[AuditRowBody]
    has_more: bool
    next_before: int | None


class AuditCheckBody(BaseModel):
    """Whether the chain is whole: `checked` rows are as they were written, `broken_at` is the first that is not.

    `complete` is false when the log is too long to be walked at once; its rows up to `checked` are whole then.
    """

    intact: bool
    checked: int
    broken_at: int | None
    complete: bool
    head_hash: str
