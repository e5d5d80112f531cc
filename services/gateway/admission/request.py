"""What admission is asked and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec
from msgspec.structs import force_setattr

from servicekit.errors import ErrorReason, QuotaExceeded, Unavailable
from services.gateway.admission.caps import Budget, CapMode, Counter, Quota, counters_of
from services.gateway.admission.dimensions import NOT_LIMITED, CallerLimits, Dimension
from services.gateway.admission.keys import tally_key
from services.gateway.admission.periods import id_time_ms
from services.gateway.admission.wire import SubjectWire
from services.gateway.metering.hold import Ticket
from services.gateway.metering.usage_record import RequestFacts


class AdmissionRequest(msgspec.Struct, frozen=True):
    """May this request pass?

    Attributes:
        estimated_tokens: input estimate plus the bound of the output.
        hold_micro_rub: the most it can cost at the frozen price.
        least_hold_micro_rub: the same of the smallest form in which it may be asked.
        quotas: those that cap requests for this model.
        time_zone: of the account, by its IANA name: budget periods follow it.
        spender: "key:<id>" or "grant:<id>": whose spending is counted for ever, where somebody has asked for it; "": of
            nobody.
        lineage_id: the first of a key's line of rotations, all of which have its limits together; "": the key itself.
        subjects: who is limited, as the script takes it. It follows from the fields above, as all below does.
        counters: what counts for its budgets, in the periods that contain the time inside its id.
        budget_keys: their names.
        tally: the name of the counter of what the spender spent; "": it is one of those already, or there is none.
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
    quotas: tuple[Quota, ...] = ()
    time_zone: str = "UTC"
    least_hold_micro_rub: int = 0
    spender: str = ""
    lineage_id: str = ""
    subjects: tuple[SubjectWire, ...] = ()
    counters: tuple[Counter, ...] = ()
    budget_keys: tuple[str, ...] = ()
    tally: str = ""

    def __post_init__(self) -> None:
        counters: tuple[Counter, ...] = ()
        if self.budgets:
            at_s = id_time_ms(self.request_id) // 1000
            counters = counters_of(self.user_id, self.budgets, self.time_zone, at_s)
        tally = tally_key(self.user_id, self.spender) if self.spender else ""
        force_setattr(self, "subjects", _subjects(self))
        force_setattr(self, "counters", counters)
        force_setattr(self, "budget_keys", tuple([counter.key for counter in counters]))
        force_setattr(self, "tally", "" if tally in self.budget_keys else tally)

    @property
    def counted_keys(self) -> tuple[str, ...]:
        """Return the names of all counters that its cost belongs in, where they are."""
        return (*self.budget_keys, self.tally) if self.tally else self.budget_keys

    @property
    def refusing_keys(self) -> tuple[str, ...]:
        """Return the names of the counters of which a budget may refuse it."""
        return tuple([counter.key for counter in self.counters if counter.hard is not None])


def _subjects(request: AdmissionRequest) -> tuple[SubjectWire, ...]:
    """Return who is limited; subjects without limits are left out."""
    limits, found = request.limits, []
    if limits.user.by_name:
        found.append(SubjectWire("user", limits.user.by_name))
    # A person in a session has neither key nor grant, so nothing but the account's limits.
    credential = f"key:{request.lineage_id or request.key_id}" if request.key_id else request.spender
    if limits.key.by_name and credential:
        found.append(SubjectWire(credential, limits.key.by_name))
    if limits.model.by_name:
        found.append(SubjectWire(f"model:{request.model}", limits.model.by_name))
    for quota in request.quotas:
        shadow = quota.id if quota.mode is CapMode.SHADOW else ""
        found.append(SubjectWire(quota.name, {quota.dimension.value: quota.limit}, shadow))
    return tuple(found)


class Figure(msgspec.Struct, frozen=True):
    """One limit as the caller sees it: the tightest of user, key and model version."""

    dimension: Dimension
    limit: int
    remaining: int
    reset_s: float


@dataclass(frozen=True, slots=True)
class ReachedCap:
    """A limit, budget or quota that a request ran into.

    Attributes:
        subject: what is capped: "user", "key", "grant", "organization" or, of one user, "model".
        mode: whether it refused, told, or would have refused.
        id: by which its owner finds it; "": it came with the tier, the key or the grant.
        owner_id: whose it is.
        period: of a budget: "day", "week", "month", "lifetime"; else "".
        models: of a quota: which it is for; else "".
        amount: in micro-roubles, requests or tokens.
        used: of the amount, what runs included, without this request; None: not known.
        resets_at_s: when it begins anew, or has room again, in Unix seconds; None: never, or not known.
    """

    dimension: Dimension
    amount: int
    subject: str
    mode: CapMode = CapMode.HARD
    id: str = ""
    owner_id: str = ""
    period: str = ""
    models: str = ""
    used: int | None = None
    resets_at_s: int | None = None

    @property
    def owner(self) -> str:
        """Return whose it is: "user", "key", "app" or "organization"."""
        return _OWNERS.get(self.subject, self.subject)


_OWNERS: Final = {"grant": "app", "model": "user"}


class LimitReport(msgspec.Struct, frozen=True):
    """Everything the rate-limit headers say. `figures` has only dimensions that are limited, rpm first.

    `reached` has what refused; of a request that was admitted, the soft and the watching caps that it ran into.
    """

    figures: tuple[Figure, ...] = ()
    retry_after_s: float | None = None
    violated: Dimension | None = None
    reached: tuple[ReachedCap, ...] = ()


class Admitted(msgspec.Struct, frozen=True):
    """A request that may pass; `ticket` settles it.

    `budget_left` is what each of its `counters` has left beside its hold, in micro-roubles; both are empty when Redis
    was lost.
    """

    ticket: Ticket
    report: LimitReport
    degraded: bool = False
    budget_left: tuple[int, ...] = ()
    counters: tuple[Counter, ...] = ()

    @property
    def budgets(self) -> list[tuple[Budget, int]]:
        """Return its budgets, each with what it has left beside the hold; below 0: it does not refuse."""
        return [
            (budget, budget.limit_micro_rub - counter.limit + left)
            for counter, left in zip(self.counters, self.budget_left, strict=True)
            for budget in counter.budgets
        ]


class AdmissionRefused(QuotaExceeded):
    """A limit, quota or budget is spent; `report` feeds the headers of the 429.

    `budget_left_micro_rub` is what the tightest budget has left, `budget_unspent_micro_rub` what it would have left if
    nothing that runs cost anything; None when it was no budget that refused. `least_hold_micro_rub` is that of the
    request in its smallest form.
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
        self.least_hold_micro_rub = 0

    @property
    def may_fit_later(self) -> bool:
        """Tell whether a budget refused that may cover the request when those that run have been settled."""
        left, unspent = self.budget_left_micro_rub, self.budget_unspent_micro_rub
        return left is not None and unspent is not None and left < unspent >= self.least_hold_micro_rub


def spending_unknown(*, retry_after_s: float) -> Unavailable:
    """Build the error of a request with a budget of which nobody can say just now what is left."""
    text = "Spending cannot be checked right now; try again shortly."
    return Unavailable(ErrorReason.SERVICE_UNAVAILABLE, text, retry_after_s=retry_after_s)
