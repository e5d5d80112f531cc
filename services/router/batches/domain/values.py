"""Files, batches and lines as values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a thing is: a user's own, or what an application put there in the user's name (then its grant)."""

    user_id: str
    application: str = ""


class Purpose(StrEnum):
    """What a file is for."""

    BATCH = "batch"
    BATCH_OUTPUT = "batch_output"


class Status(StrEnum):
    """How far a batch is, in OpenAI's words.

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
    """A file without its content, which lies in `parts` parts."""

    id: str
    filename: str
    purpose: str
    size_bytes: int
    parts: int
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is wanted: after which id ("": from the beginning), and how many."""

    after: str
    limit: int
    oldest_first: bool = False


@dataclass(frozen=True, slots=True)
class LineError:
    """What is wrong with a line of an input file, from 1; 0: with the file."""

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
    """What is asked for; `key_id` is the key that asks, "" when it is an application.

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
    """A batch whose file is to be looked through; no parts: the file is gone."""

    id: str
    endpoint: str
    parts: int


@dataclass(frozen=True, slots=True)
class NewLine:
    """A line of a batch: its number in the file, from 1, the caller's name for it, and what is asked."""

    number: int
    custom_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class ClaimedLine:
    """A line that a worker has; `attempt` from 1."""

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
    """What became of a line: the answer's status and body (JSON), and the request that was billed for it."""

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
