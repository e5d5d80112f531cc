"""What every paid route needs before it may ask for anything: who calls, which model, what limits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from servicekit.clock import Clock
from services.gateway.clients.catalog import CatalogWatch
from services.gateway.edge.request_context import RequestContext
from services.gateway.identity.authentication import Authenticator
from services.gateway.inference.pricing import Choice, choose_model
from services.gateway.settings import LimitSettings


@dataclass(frozen=True, slots=True)
class InferenceDependencies:
    """The things the hot routes share."""

    authenticator: Authenticator
    catalog: CatalogWatch
    limits: LimitSettings
    clock: Clock

    def choose(self, context: RequestContext, name: str, kind: str) -> tuple[Choice, datetime]:
        """Return the model the caller means with its price, and the moment that price is frozen at."""
        now = self.clock.now()
        return choose_model(self.catalog, context, name, kind, now), now
