"""What is asked of insights, and what they answer. Money in micro-roubles."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of money, what is spent of it, and when it begins anew."""

    name: str
    limit_micro_rub: int
    spent_micro_rub: int
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Saving:
    """What following advice saves a month."""

    min_micro_rub: int
    max_micro_rub: int
    confidence: float


@dataclass(frozen=True, slots=True)
class Finding:
    """A pattern that shows; `texts` by language, `query` shows its figures at GET /v1/usage/timeseries."""

    pattern: str
    subject: str
    texts: dict[str, str]
    evidence: dict[str, int | float | str]
    query: dict[str, str]
    saving: Saving | None


@dataclass(frozen=True, slots=True)
class Incident:
    """A day or hour that cost more than it should."""

    id: str
    grain: str
    begins_at: datetime
    ends_at: datetime
    expected_micro_rub: int
    actual_micro_rub: int
    cause_dimension: str
    cause_value: str
    cause_expected_micro_rub: int
    cause_actual_micro_rub: int
    feedback: str
    found_at: datetime
    texts: dict[str, str]


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A piece of advice and what became of it; `realised_micro_rub` is a month's, None: not measured yet."""

    id: str
    finding: Finding
    state: str
    reason: str
    first_seen: datetime
    last_seen: datetime
    decided_at: datetime | None
    realised_micro_rub: int | None
    realised_at: datetime | None
