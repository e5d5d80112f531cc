"""Files, batches and lines as values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Owner:
    """The owner of a file or batch: a user, or an application acting in the user's name (then its grant)."""

    user_id: str
    application: str = ""


class Purpose(StrEnum):
    """What a file is for."""

    BATCH = "batch"
    BATCH_OUTPUT = "batch_output"


class Status(StrEnum):
    """The status of a batch, in OpenAI's terms.

    validating ─▶ in_progress ─▶ finalizing ─▶ completed | expired
        │               └──────▶ cancelling ─▶ cancelled
        └─▶ failed
    """

    VALIDATING = "validating"
    FAILED = "failed"
    IN_PROGRESS = "in_progress"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    EXPIRED = "expired"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"

    @property
    def has_ended(self) -> bool:
        """Tell whether nothing more happens."""
        return self in (Status.FAILED, Status.COMPLETED, Status.EXPIRED, Status.CANCELLED)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file's metadata; its content is stored in `parts` parts."""

    id: str
    filename: str
    purpose: str
    size_bytes: int
    parts: int
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """Which page of a list is wanted: after which id ("": from the beginning), and how many items."""

    after: str
    limit: int
    oldest_first: bool = False


@dataclass(frozen=True, slots=True)
class LineError:
    """An error in a line of an input file, counted from 1; 0: in the file as a whole."""

    code: str
    message: str
    param: str
    line: int


@dataclass(frozen=True, slots=True)
class Counts:
    """Lines of a batch: all, those that were answered, those that failed."""

    total: int
    completed: int
    failed: int


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch. `moments_s`: "in_progress_at" -> seconds of Unix time."""

    id: str
    owner: Owner
    endpoint: str
    input_file_id: str
    status: Status
    output_file_id: str
    error_file_id: str
    created_at: datetime
    expires_at: datetime
    moments_s: Mapping[str, int]
    metadata: Mapping[str, str]
    errors: Sequence[LineError]
    counts: Counts


@dataclass(frozen=True, slots=True)
class NewBatch:
    """A batch to be created; `key_id` is the API key that creates it, "" for an application.

    Then `token_grant` is the grant of its token. That need not be the one by which it is known here: an application is
    let in again without a question.
    """

    endpoint: str
    input_file_id: str
    window_s: int
    key_id: str
    metadata: Mapping[str, str]
    token_grant: str = ""


@dataclass(frozen=True, slots=True)
class UncheckedBatch:
    """A batch whose input file is to be validated; no parts: the file is gone."""

    id: str
    endpoint: str
    parts: int


@dataclass(frozen=True, slots=True)
class NewLine:
    """A line of a batch: its number in the file, from 1, the caller's id for it, and its request."""

    number: int
    custom_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class ClaimedLine:
    """A line claimed by a worker; `attempt` counts from 1."""

    batch_id: str
    number: int
    body: bytes
    owner: Owner
    key_id: str
    endpoint: str
    attempt: int
    expires_at: datetime
    token_grant: str = ""


@dataclass(frozen=True, slots=True)
class LineResult:
    """The result of a line: status and body (JSON) of the answer, and the request that was billed for it."""

    request_id: str
    http_status: int
    body: bytes

    @classmethod
    def unreadable(cls) -> LineResult:
        """Return what stands for a line that was sealed under a key that is gone."""
        text = "What was asked, or answered, was sealed under a key that is gone (ROUTER_TOOL_CALL_KEY)."
        return cls("", 500, json.dumps({"error": {"code": "internal_error", "message": text}}).encode())

    @property
    def is_answer(self) -> bool:
        """Tell an answer from a failure."""
        return 200 <= self.http_status < 300
