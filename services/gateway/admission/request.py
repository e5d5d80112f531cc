"""What admission is asked and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field

from servicekit.errors import ErrorReason, QuotaExceeded, Unavailable
from services.gateway.admission.dimensions import NOT_LIMITED, CallerLimits, Dimension
from services.gateway.admission.keys import budget_key
from services.gateway.admission.periods import BudgetPeriod, id_time_ms
from services.gateway.metering.hold import Ticket
from services.gateway.metering.usage_record import RequestFacts


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
        least_hold_micro_rub: the same of the smallest form in which it may be asked.
        time_zone: of the account, by its IANA name: budget periods follow it.
        budget_keys: names of its budgets' counters, in the periods that contain the time inside its id.
    """

    request_id: str
    user_id: str
    key_id: str
    model: str
    estimated_tokens: int
    hold_micro_rub: int
    facts: RequestFacts
    limits: CallerLimits = NOT_LIMITED
    budgets: tuple[Budget, ...] = ()
    time_zone: str = "UTC"
    least_hold_micro_rub: int = 0
    budget_keys: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        at_s = id_time_ms(self.request_id) // 1000 if self.budgets else 0
        keys = [budget_key(self.user_id, each.subject, each.period, self.time_zone, at_s) for each in self.budgets]
        object.__setattr__(self, "budget_keys", tuple(keys))


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


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that may pass; `ticket` settles it.

    `budget_left` is what each of its budgets has left beside its hold, in micro-roubles, in the order asked; empty:
    Redis was lost.
    """

    ticket: Ticket
    report: LimitReport
    degraded: bool = False
    budget_left: tuple[int, ...] = ()


class AdmissionRefused(QuotaExceeded):
    """A limit, quota or budget is spent; `report` feeds the headers of the 429.

    `budget_left_micro_rub` is what the tightest budget has left, `budget_unspent_micro_rub` what it would have left if
    nothing that runs cost anything; None when it was no budget that refused.
    """

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
        self.budget_left_micro_rub: int | None = None
        self.budget_unspent_micro_rub: int | None = None


def spending_unknown(*, retry_after_s: float) -> Unavailable:
    """Build the error of a request with a budget of which nobody can say just now what is left."""
    text = "Spending cannot be checked right now; try again shortly."
    return Unavailable(ErrorReason.SERVICE_UNAVAILABLE, text, retry_after_s=retry_after_s)
