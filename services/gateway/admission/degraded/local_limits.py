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
from services.gateway.admission.codec import Subject, refusal, subjects_of
from services.gateway.admission.degraded.token_buckets import TokenBuckets
from services.gateway.admission.options import AdmissionOptions
from services.gateway.admission.request import AdmissionRequest, Dimension, Figure, LimitReport

MAX_REMAINDERS: Final = 50_000
BUDGET_RETRY_S: Final = 5.0
WINDOWS_S: Final = {
    Dimension.REQUESTS_PER_MINUTE: 60.0,
    Dimension.REQUESTS_PER_DAY: 86_400.0,
    Dimension.TOKENS_PER_MINUTE: 60.0,
}


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
        names = [_bucket(request.user_id, s[0], Dimension.CONCURRENCY) for s in subjects_of(request) if s[4]]
        if names and request.request_id not in self._owned:
            self._owned[request.request_id] = names
            for name in names:
                self._running[name] = self._running.get(name, 0) + 1

    def share(self, limit: int) -> int:
        """Return this gateway's part of a limit, at least one."""
        return max(1, int(limit * self._options.local_share / max(1, self._replicas())))

    def _check(self, request: AdmissionRequest, subject: Subject) -> None:
        name, _, _, _, at_once = subject
        for dimension, limit, cost in _rates(subject, request.estimated_tokens):
            wait_s = self._buckets.wait_s(
                _bucket(request.user_id, name, dimension),
                limit=self.share(limit),
                window_s=WINDOWS_S[dimension],
                cost=cost,
            )
            if wait_s > 0:
                raise refusal(dimension, name.partition(":")[0], limit, wait_s, (), request)
        running = self._running.get(_bucket(request.user_id, name, Dimension.CONCURRENCY), 0)
        if at_once and running >= self.share(at_once):
            raise refusal(Dimension.CONCURRENCY, name.partition(":")[0], at_once, 1.0, (), request)

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

    def _take(self, request: AdmissionRequest, subject: Subject) -> None:
        for dimension, limit, cost in _rates(subject, request.estimated_tokens):
            name = _bucket(request.user_id, subject[0], dimension)
            self._buckets.take(name, limit=self.share(limit), window_s=WINDOWS_S[dimension], cost=cost)

    def _figures(self, user_id: str, subjects: list[Subject]) -> list[Figure]:
        found: dict[Dimension, Figure] = {}
        for subject in subjects:
            for dimension, limit, _ in _rates(subject, 0):
                name, share, window_s = _bucket(user_id, subject[0], dimension), self.share(limit), WINDOWS_S[dimension]
                left = self._buckets.left(name, limit=share, window_s=window_s)
                figure = Figure(dimension, limit, left, (share - left) * window_s / share)
                if dimension not in found or figure.remaining < found[dimension].remaining:
                    found[dimension] = figure
        return [found[dimension] for dimension in WINDOWS_S if dimension in found]


def _bucket(user_id: str, subject: str, dimension: Dimension) -> str:
    return f"{user_id} {subject} {dimension}"


def _rates(subject: Subject, tokens: int) -> list[tuple[Dimension, int, int]]:
    _, rpm, rpd, tpm, _ = subject
    found = []
    if rpm:
        found.append((Dimension.REQUESTS_PER_MINUTE, rpm, 1))
    if rpd:
        found.append((Dimension.REQUESTS_PER_DAY, rpd, 1))
    if tpm:
        found.append((Dimension.TOKENS_PER_MINUTE, tpm, tokens))
    return found
