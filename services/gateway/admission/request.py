"""What admission is asked and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from servicekit.errors import ErrorReason, QuotaExceeded
from services.gateway.metering.hold import Ticket
from services.gateway.metering.usage_record import RequestFacts


class Dimension(StrEnum):
    """What is limited. Values are metric labels and names in the RateLimit headers."""

    REQUESTS_PER_MINUTE = "rpm"
    REQUESTS_PER_DAY = "rpd"
    TOKENS_PER_MINUTE = "tpm"
    CONCURRENCY = "concurrency"
    BUDGET = "budget"


class BudgetPeriod(StrEnum):
    """How long a budget lasts, in UTC. The values are parts of Redis keys."""

    DAY = "d"
    MONTH = "m"
    TOTAL = "t"


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of one subject; 0 means "no limit here"."""

    requests_per_minute: int = 0
    requests_per_day: int = 0
    tokens_per_minute: int = 0
    concurrent_requests: int = 0

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing is limited."""
        return not (
            self.requests_per_minute or self.requests_per_day or self.tokens_per_minute or self.concurrent_requests
        )


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Budget:
    """A spending cap; the subject is "user:<id>", "key:<id>" or "grant:<id>" of the calling user."""

    subject: str
    period: BudgetPeriod
    limit_micro_rub: int


@dataclass(frozen=True, slots=True)
class AdmissionRequest:
    """May this request pass?

    Attributes:
        estimated_tokens: input estimate plus the bound of the output.
        hold_micro_rub: the most it can cost at the frozen price.
    """

    request_id: str
    user_id: str
    key_id: str
    model: str
    estimated_tokens: int
    hold_micro_rub: int
    facts: RequestFacts
    user_limits: Limits = NO_LIMITS
    key_limits: Limits = NO_LIMITS
    model_limits: Limits = NO_LIMITS
    budgets: tuple[Budget, ...] = ()


@dataclass(frozen=True, slots=True)
class Figure:
    """One limit as the caller sees it: the tightest of user, key and model version."""

    dimension: Dimension
    limit: int
    remaining: int
    reset_s: float


@dataclass(frozen=True, slots=True)
class LimitReport:
    """Everything the rate-limit headers say. `figures` has only dimensions that are limited, rpm first."""

    figures: tuple[Figure, ...] = ()
    retry_after_s: float | None = None
    violated: Dimension | None = None


@dataclass(slots=True)
class Admitted:
    """A request that may pass; `ticket` settles it."""

    ticket: Ticket
    report: LimitReport
    degraded: bool = False
    request: AdmissionRequest | None = field(default=None, repr=False)


class AdmissionRefused(QuotaExceeded):
    """A limit, quota or budget is spent; `report` feeds the headers of the 429."""

    def __init__(
        self,
        reason: ErrorReason,
        message: str,
        report: LimitReport,
        *,
        retry_after_s: float | None = None,
        details: dict[str, str] | None = None,
    ) -> None:
        super().__init__(reason, message, retry_after_s=retry_after_s, details=details)
        self.report = report
