"""What one gateway grants on its own while Redis is lost: its share of each limit, its share of what budgets had left.

The shares of all gateways add up to 80 % of a limit, so that the callers of a lost Redis get nearly what they
paid for and never more (but for limits smaller than the number of gateways: each grants at least one).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, Unavailable
from services.gateway.admission.codec import refusal, subjects_of
from services.gateway.admission.degraded.token_buckets import TokenBuckets
from services.gateway.admission.dimensions import LIMITED, RATES, Dimension, DimensionRow, Rule, Unit
from services.gateway.admission.options import AdmissionOptions
from services.gateway.admission.request import AdmissionRequest, Figure, LimitReport
from services.gateway.admission.wire import SubjectWire

MAX_REMAINDERS: Final = 50_000
BUDGET_RETRY_S: Final = 5.0
SLOTS: Final = tuple(row for row in LIMITED if row.rule is Rule.SLOTS)


class LocalLimits:
    """Decides without Redis; remembers what Redis said about budgets while it was there."""

    def __init__(self, clock: Clock, options: AdmissionOptions, *, replicas: Callable[[], int]) -> None:
        self._options = options
        self._replicas = replicas
        self._buckets = TokenBuckets(clock)
        self._running: dict[str, int] = {}
        self._owned: dict[str, list[str]] = {}
        self._remainders: OrderedDict[str, int] = OrderedDict()
        # What this gateway may still spend of a budget on its own; ends when Redis speaks again.
        self._allowances: dict[str, int] = {}

    def remember(self, budget_key: str, remainder: int) -> None:
        """Keep what a budget had left when Redis last said so."""
        if self._allowances:
            self._allowances.pop(budget_key, None)
        self._remainders[budget_key] = remainder
        self._remainders.move_to_end(budget_key)
        if len(self._remainders) > MAX_REMAINDERS:
            self._remainders.popitem(last=False)

    def admit(self, request: AdmissionRequest, budget_keys: tuple[str, ...]) -> LimitReport:
        """Admit within this gateway's share; a refused request takes nothing.

        Raises:
            AdmissionRefused: the share of a limit is used up.
            Unavailable: the share of a budget is used up; what is left of it nobody knows.
        """
        subjects = subjects_of(request)
        for subject in subjects:
            self._check(request, subject)
        self._check_budgets(request, budget_keys)
        for subject in subjects:
            self._take(request, subject)
        for key in budget_keys:
            self._allowances[key] -= request.hold_micro_rub
        return LimitReport(tuple(self._figures(request.user_id, subjects)))

    def release(self, request_id: str) -> None:
        """Give back the slots of a request; once is enough, twice is no harm."""
        for name in self._owned.pop(request_id, ()):
            left = self._running.get(name, 0) - 1
            if left > 0:
                self._running[name] = left
            else:
                self._running.pop(name, None)

    def occupy(self, request: AdmissionRequest) -> None:
        """Count a running request, also one that Redis admitted: its slot is taken when Redis goes."""
        names = [
            _bucket(request.user_id, subject.name, row.name)
            for subject in subjects_of(request)
            for row, _ in _set(SLOTS, subject)
        ]
        if names and request.request_id not in self._owned:
            self._owned[request.request_id] = names
            for name in names:
                self._running[name] = self._running.get(name, 0) + 1

    def share(self, limit: int) -> int:
        """Return this gateway's part of a limit, at least one."""
        return max(1, int(limit * self._options.local_share / max(1, self._replicas())))

    def _check(self, request: AdmissionRequest, subject: SubjectWire) -> None:
        for row, limit in _set(RATES, subject):
            name, cost = _bucket(request.user_id, subject.name, row.name), _cost(row, request)
            wait_s = self._buckets.wait_s(name, limit=self.share(limit), window_s=row.window_s, cost=cost)
            if wait_s > 0:
                raise refusal(row, subject.name, limit, wait_s, (), request)
        for row, limit in _set(SLOTS, subject):
            if self._running.get(_bucket(request.user_id, subject.name, row.name), 0) >= self.share(limit):
                raise refusal(row, subject.name, limit, row.retry_s, (), request)

    def _check_budgets(self, request: AdmissionRequest, budget_keys: tuple[str, ...]) -> None:
        for budget, key in zip(request.budgets, budget_keys, strict=True):
            if key not in self._allowances:
                cap = int(budget.limit_micro_rub * self._options.degraded_budget_share)
                left = min(cap, max(0, self._remainders.get(key, cap)))
                self._allowances[key] = left // max(1, self._replicas())
            if request.hold_micro_rub > self._allowances[key]:
                raise Unavailable(
                    ErrorReason.SERVICE_UNAVAILABLE,
                    "Spending cannot be checked right now; try again shortly.",
                    retry_after_s=BUDGET_RETRY_S,
                )

    def _take(self, request: AdmissionRequest, subject: SubjectWire) -> None:
        for row, limit in _set(RATES, subject):
            name, cost = _bucket(request.user_id, subject.name, row.name), _cost(row, request)
            self._buckets.take(name, limit=self.share(limit), window_s=row.window_s, cost=cost)

    def _figures(self, user_id: str, subjects: list[SubjectWire]) -> list[Figure]:
        found: dict[Dimension, Figure] = {}
        for subject in subjects:
            for row, limit in _set(RATES, subject):
                figure = self._figure(_bucket(user_id, subject.name, row.name), row, limit)
                if row.name not in found or figure.remaining < found[row.name].remaining:
                    found[row.name] = figure
        return [found[row.name] for row in RATES if row.name in found]

    def _figure(self, bucket: str, row: DimensionRow, limit: int) -> Figure:
        share = self.share(limit)
        left = self._buckets.left(bucket, limit=share, window_s=row.window_s)
        return Figure(row.name, limit, left, (share - left) * row.window_s / share)


def _bucket(user_id: str, subject: str, dimension: Dimension) -> str:
    return f"{user_id} {subject} {dimension}"


def _set(rows: tuple[DimensionRow, ...], subject: SubjectWire) -> list[tuple[DimensionRow, int]]:
    """Return which of these limits the subject has."""
    return [(row, subject.limits[row.name]) for row in rows if row.name in subject.limits]


def _cost(row: DimensionRow, request: AdmissionRequest) -> int:
    return request.estimated_tokens if row.unit is Unit.TOKENS else 1
