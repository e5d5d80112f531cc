"""The retry budgets of all providers."""

from __future__ import annotations

from servicekit.clock import Clock
from services.router.circuits import metrics
from services.router.circuits.domain.retry_budget import RetryBudget
from services.router.circuits.settings import CircuitSettings


class RetryBudgets:
    """One budget for each provider in this replica: a share of its own calls needs no sharing."""

    def __init__(self, settings: CircuitSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._budgets: dict[str, RetryBudget] = {}

    def note_request(self, provider: str) -> None:
        """Count a request's first call of a model of this provider."""
        self._of(provider).note_request(self._clock.monotonic())

    def note_retry(self, provider: str) -> None:
        """Count a repeated call."""
        self._of(provider).note_retry(self._clock.monotonic())

    def note_denial(self, provider: str) -> None:
        """Count a call that was not repeated for want of budget."""
        metrics.RETRIES_DENIED.labels(provider).inc()

    def allows(self, provider: str) -> bool:
        """Tell whether a call may be repeated."""
        return self._of(provider).allows(self._clock.monotonic())

    def _of(self, provider: str) -> RetryBudget:
        budget = self._budgets.get(provider)
        if budget is None:
            budget = RetryBudget(self._settings.retry_share, self._settings.retry_floor)
            self._budgets[provider] = budget
        return budget
