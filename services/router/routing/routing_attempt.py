"""RoutingAttempt: one call of one candidate, from its beginning to what is told of it."""

from __future__ import annotations

import json

from msgspec import Struct

from servicekit.tracing import Span
from services.router.circuits.admission import Admission
from services.router.domain.catalog import Model
from services.router.providers.provider import ProviderCall
from services.router.routing.routed_request import RoutedRequest


class RoutingAttempt(Struct, frozen=True):
    """One call of one candidate under way."""

    request: RoutedRequest
    model: Model
    call: ProviderCall
    admission: Admission
    span: Span
    began: float
    """On the monotonic clock."""

    def took_s(self, now: float) -> float:
        """Return how long the provider has had the call: waiting for a slot is none of its time."""
        return now - self.began - self.call.queued_s

    def described(self) -> dict[str, str]:
        """Return the details of an error: what has been tried, and at whom it failed."""
        model, call = self.model, self.call
        facts = {"provider": model.provider, "model": model.id, "attempts": self.request.tried()}
        if call.provider_request_id:
            facts["provider_request_id"] = call.provider_request_id
        if queued_ms := self.request.queued_ms(call.queued_s):
            facts["queued_ms"] = str(queued_ms)
        if call.kept:
            facts["used"] = json.dumps(list(call.kept.used()), separators=(",", ":"))
        return facts
