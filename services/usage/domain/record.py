"""One usage record: what the gateway measured about one request, and what makes it unfit to be stored."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

# NUMERIC(10,6) roubles: four digits before the point.
MAX_COST_MICRO_RUB: Final = 9_999_999_999
MAX_INTEGER: Final = 2**31 - 1
# Everything here is an identifier or a code; a longer one would not fit into an index either (2,704 bytes).
MAX_TEXT: Final = 256
MAX_ATTEMPTS: Final = 64
# A gateway whose clock is ahead must not book into months that have not begun.
MAX_AHEAD: Final = timedelta(days=2)

_UUID7: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}").fullmatch


class Status(StrEnum):
    """How a request ended."""

    COMPLETED = "completed"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


class Source(StrEnum):
    """Who counted the tokens. A reaped record gives way to any other one of the same request."""

    PROVIDER = "provider"
    ESTIMATED = "estimated"
    REAPED = "reaped"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try at one provider."""

    provider: str
    model: str
    reason: str
    latency_ms: int


@dataclass(frozen=True, slots=True)
class UsageRecord:
    """What one request used. `request_id` is lower case; `None` marks a status or source that nobody knows."""

    request_id: str
    user_id: str
    key_id: str
    grant_id: str
    client_id: str
    provider: str
    model: str
    requested_model: str
    resolved_model: str
    endpoint: str
    tokens_input: int
    tokens_output: int
    tokens_cached: int
    tokens_reasoning: int
    cost_micro_rub: int
    price_version: str
    status: Status | None
    source: Source | None
    finish_reason: str
    error_code: str
    stream: bool
    http_status: int
    latency_ms: int
    first_token_ms: int
    trace_id: str
    attempts: tuple[Attempt, ...]
    started_at: datetime | None

    @property
    def created_at(self) -> datetime:
        """Return the time inside the request id, which picks the partition."""
        return EPOCH + timedelta(milliseconds=id_time_ms(self.request_id))


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that can never be stored, and why."""

    request_id: str
    field: str
    message: str


def id_time_ms(request_id: str) -> int:
    """Return the Unix milliseconds inside a UUIDv7."""
    return int(request_id[:8] + request_id[9:13], 16)


def is_request_id(text: str) -> bool:
    """Tell whether `text` is a UUIDv7 in its lower-case form."""
    return _UUID7(text) is not None


def check(record: UsageRecord, *, now: datetime) -> Rejected | None:
    """Return why `record` can never be stored, or None when it can."""
    problem = _id_problem(record, now) or _missing(record) or _number_problem(record) or _text_problem(record)
    return Rejected(record.request_id[:MAX_TEXT], *problem) if problem else None


def _id_problem(record: UsageRecord, now: datetime) -> tuple[str, str] | None:
    if not is_request_id(record.request_id):
        return "request_id", "is not a UUIDv7"
    if id_time_ms(record.request_id) > (now + MAX_AHEAD - EPOCH) / timedelta(milliseconds=1):
        return "request_id", "holds a time more than 2 days ahead"
    if record.started_at is not None and record.started_at > now + MAX_AHEAD:
        return "started_at", "is more than 2 days ahead"
    if record.started_at is not None and record.started_at < EPOCH:
        return "started_at", "is before 1970"
    return None


def _missing(record: UsageRecord) -> tuple[str, str] | None:
    if not record.user_id:
        return "user_id", "is missing"
    if not record.model:
        return "model", "is missing"
    if record.status is None:
        return "status", "is missing or unknown"
    if record.source is None:
        return "source", "is missing or unknown"
    return None


_COUNTS: Final = (
    "tokens_input",
    "tokens_output",
    "tokens_cached",
    "tokens_reasoning",
    "http_status",
    "latency_ms",
    "first_token_ms",
)


def _number_problem(record: UsageRecord) -> tuple[str, str] | None:
    if not 0 <= record.cost_micro_rub <= MAX_COST_MICRO_RUB:
        return "cost_micro_rub", f"is not within 0 and {MAX_COST_MICRO_RUB}"
    for name in _COUNTS:
        if not 0 <= getattr(record, name) <= MAX_INTEGER:
            return name, f"is not within 0 and {MAX_INTEGER}"
    return None


_TEXTS: Final = (
    "user_id",
    "key_id",
    "grant_id",
    "client_id",
    "provider",
    "model",
    "requested_model",
    "resolved_model",
    "endpoint",
    "price_version",
    "finish_reason",
    "error_code",
    "trace_id",
)


def _text_problem(record: UsageRecord) -> tuple[str, str] | None:
    for name in _TEXTS:
        problem = _bad_text(getattr(record, name))
        if problem:
            return name, problem
    if len(record.attempts) > MAX_ATTEMPTS:
        return "attempts", f"has more than {MAX_ATTEMPTS} entries"
    for attempt in record.attempts:
        problem = _bad_text(attempt.provider) or _bad_text(attempt.model) or _bad_text(attempt.reason)
        if problem:
            return "attempts", problem
    return None


def _bad_text(text: str) -> str | None:
    if len(text) > MAX_TEXT:
        return f"is longer than {MAX_TEXT} characters"
    # PostgreSQL stores every character but this one.
    return "contains a NUL character" if "\0" in text else None
