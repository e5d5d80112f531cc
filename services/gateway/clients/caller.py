"""Who calls and what they may do: everything that admitting a request needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import IPv4Network, IPv6Network

from services.gateway.admission.dimensions import NOT_LIMITED, CallerLimits
from services.gateway.admission.request import Budget


@dataclass(frozen=True, slots=True)
class Caller:
    """A verified credential. `models` and `networks` are empty when nothing is excluded."""

    user_id: str
    key_id: str
    key_name: str
    tier: str
    scopes: frozenset[str]
    models: frozenset[str] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    limits: CallerLimits = NOT_LIMITED
    budgets: tuple[Budget, ...] = field(default=())
    expires_at: datetime | None = None
    grant_id: str = ""
    client_id: str = ""
