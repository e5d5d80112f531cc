"""The face of admission: admit, settle, cancel (interface first; the work follows)."""

from __future__ import annotations

from services.gateway.accounting import Ticket
from services.gateway.admission.request import AdmissionRequest, Admitted


class Admission:
    """Decides whether a request may pass, and gives back what it did not use."""

    async def admit(self, request: AdmissionRequest) -> Admitted:
        """Admit the request in one round trip.

        Raises:
            AdmissionRefused: a limit, quota or budget is spent (RATE_LIMIT_EXCEEDED, QUOTA_EXCEEDED,
                CONCURRENT_LIMIT, BUDGET_EXCEEDED); nothing was consumed.
            Unavailable: Redis is lost and this caller's budget cannot be checked any more.
        """
        raise NotImplementedError

    async def settle(self, ticket: Ticket, tokens: int, cost_micro_rub: int) -> None:
        """Give back leases, turn the hold into `cost_micro_rub`, refund tokens; idempotent, never raises, bounded."""
        raise NotImplementedError

    async def cancel(self, ticket: Ticket) -> None:
        """Settle a request that never reached a provider."""
        raise NotImplementedError
