"""Lines of the request log, and the position where a page ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from services.usage.statistics.domain.query import NO_FILTERS, Dimension

_JUST_AFTER: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page ended: lines are in the order of this pair, which no two share."""

    created_at: datetime
    request_id: str


@dataclass(frozen=True, slots=True)
class LogQuery:
    """A question for lines.

    Attributes:
        user_id: whose; None: everybody's (administrators).
        after: the line after which to go on; None: from the beginning.
        oldest_first: else the newest one is first.
        limit: lines at most.
    """

    user_id: str | None
    since: datetime
    until: datetime
    filters: Mapping[Dimension, tuple[str, ...]] = field(default_factory=lambda: NO_FILTERS)
    after: Position | None = None
    oldest_first: bool = False
    limit: int = 100

    def span(self) -> tuple[datetime, datetime]:
        """Return the span of the page: the position narrows it, so that the hundredth page costs what the first does.

        A comparison of pairs alone would have a store read from the end of its index each time.
        """
        if self.after is None:
            return self.since, self.until
        if self.oldest_first:
            return max(self.since, self.after.created_at), self.until
        return self.since, min(self.until, self.after.created_at + _JUST_AFTER)


@dataclass(frozen=True, slots=True)
class RequestLine:
    """One request; money in micro-roubles, durations in milliseconds, 0 to the first token: none was sent."""

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
