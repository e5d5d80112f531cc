"""What is asked of statistics and what is answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

Filters = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Whose:
    """Whose figures are asked for, and by whom.

    Attributes:
        asker: the user that asks.
        of: None: their own; "": everybody's; else a user's: administrators only.
    """

    asker: str
    of: str | None = None


@dataclass(frozen=True, slots=True)
class Period:
    """From a moment until before another, and the IANA zone in which its days begin."""

    since: datetime
    until: datetime
    zone: str


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a period; `top` 0: all groups, `bucket` "": the period is one, `limit` 0: all rows.

    `after` is the bucket and group of the row where the page before ended.
    """

    period: Period
    bucket: str = ""
    group_by: tuple[str, ...] = ()
    filters: Filters = field(default_factory=dict)
    top: int = 0
    quantiles: bool = False
    compared: bool = False
    limit: int = 0
    after: tuple[datetime, tuple[str, ...]] | None = None


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Of a duration, in milliseconds; None: nothing was measured, or not asked for."""

    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """What a group of requests adds up to; money in micro-roubles."""

    requests: int
    errors: int
    fallbacks: int
    tokens_input: int
    tokens_output: int
    tokens_cached: int
    tokens_reasoning: int
    cost_micro_rub: int
    saved_micro_rub: int
    output_ms: int
    tokens_streamed: int
    latency: Quantiles
    first_token: Quantiles


@dataclass(frozen=True, slots=True)
class Row:
    """The figures of a group in a bucket; `is_other`: of all groups that are not among the top."""

    starts_at: datetime | None
    group: tuple[str, ...]
    is_other: bool
    figures: Figures


@dataclass(frozen=True, slots=True)
class ModelChange:
    """Why a model's cost changed, in micro-roubles."""

    model: str
    before_micro_rub: int
    now_micro_rub: int
    volume_micro_rub: int
    mix_micro_rub: int
    price_micro_rub: int


@dataclass(frozen=True, slots=True)
class Previous:
    """The period before."""

    period: Period
    total: Figures
    models: tuple[ModelChange, ...]


@dataclass(frozen=True, slots=True)
class Stats:
    """The answer; `previous` when it was asked for."""

    rows: tuple[Row, ...]
    total: Figures
    previous: Previous | None
    as_of: datetime


@dataclass(frozen=True, slots=True)
class LogQuestion:
    """A page of requests: those after the given one, at most `limit`."""

    period: Period
    filters: Filters = field(default_factory=dict)
    after: tuple[datetime, str] | None = None
    oldest_first: bool = False
    limit: int = 100


@dataclass(frozen=True, slots=True)
class RequestLine:
    """One request; `first_token_ms` 0: none was sent."""

    request_id: str
    created_at: datetime
    user_id: str
    key_id: str
    client_id: str
    provider: str
    model: str
    requested_model: str
    resolved_model: str
    endpoint: str
    status: str
    source: str
    error_code: str
    http_status: int
    stream: bool
    finish_reason: str
    tokens_input: int
    tokens_output: int
    tokens_cached: int
    tokens_reasoning: int
    cost_micro_rub: int
    latency_ms: int
    first_token_ms: int
    cache_status: str
    tags: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Ending:
    """How many requests of everybody ended alike in a bucket; `error` is "" where they were answered."""

    starts_at: datetime
    version: str
    error: str
    requests: int


@dataclass(frozen=True, slots=True)
class PlatformHealth:
    """How requests of everybody ended, and by version how soon answers began."""

    endings: tuple[Ending, ...]
    first_tokens: Mapping[str, Quantiles]
