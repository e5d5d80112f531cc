"""What the routes of reports are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.types import Scope as AsgiScope

from servicekit.clock import Clock
from servicekit.errors import ErrorReason, QuotaExceeded
from services.gateway.analytics.grammar import period_of
from services.gateway.clients.auth import AuthClient
from services.gateway.clients.oauth_views import OAuthRefused
from services.gateway.clients.usage_reports.client import ReportClient
from services.gateway.clients.usage_reports.values import ReportWishes
from services.gateway.clients.usage_statistics.values import Period
from services.gateway.edge.request_context import RequestContext
from services.gateway.identity.access import Scope
from services.gateway.identity.address_limit import OAuthLimit
from services.gateway.identity.key_sets import PublicAddress
from services.gateway.reports.bodies import WishesBody
from services.gateway.reports.views import params_of, wishes_of

KEYS_A_PAGE: Final = 100


@dataclass(frozen=True, slots=True)
class ReportParts:
    """What the routes are made of; `address` is our own."""

    reports: ReportClient
    auth: AuthClient
    address: PublicAddress
    limit: OAuthLimit
    clock: Clock

    async def understood(self, order: WishesBody, context: RequestContext) -> tuple[Period, ReportWishes]:
        """Return the period and the wishes of an order.

        Raises:
            InvalidRequest: the field is named.
        """
        params = params_of(order)
        period = period_of(params, context.known_caller, self.clock.now())
        return period, wishes_of(order, params, period.zone, await self._key_names(context))

    async def count_address(self, scope: AsgiScope) -> None:
        """Count a request without a credential.

        Raises:
            QuotaExceeded: its address made too many.
        """
        try:
            await self.limit.count(scope)
        except OAuthRefused as exc:
            text = "Too many requests from this address."
            wait_s = exc.retry_after_s
            raise QuotaExceeded(ErrorReason.RATE_LIMIT_EXCEEDED, text, retry_after_s=wait_s) from exc

    async def _key_names(self, context: RequestContext) -> dict[str, str]:
        """Return the names of the caller's keys, where the credential may see them."""
        caller, names, page = context.known_caller, dict[str, str](), ""
        if Scope.KEYS_READ.value not in caller.scopes:
            return names
        while True:
            keys, page = await self.auth.list_keys(caller.user_id, context.call, size=KEYS_A_PAGE, page=page)
            names |= {key.id: key.name for key in keys}
            if not page:
                return names
