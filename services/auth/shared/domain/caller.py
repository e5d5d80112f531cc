"""An authenticated caller: everything the gateway needs to admit a request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from services.auth.shared.domain.budget import Budget, Quota
from services.auth.shared.domain.scope import Scope
from services.auth.shared.domain.tier import Tier, TierLimits


@dataclass(frozen=True, slots=True)
class Caller:
    """The holder of a valid credential. `time_zone` is the account's, by its IANA name: budget periods follow it.

    `model_names` say which model is meant by a name, `cache_ttl_s` for how long answers are cached; None: not at all.
    `from_1_0`: the key, or the first of its line, was brought from release 1.0. `lineage_id` is the first of its line.
    """

    user_id: str
    key_id: str
    key_name: str
    tier: Tier
    scopes: frozenset[Scope]
    models: tuple[str, ...]
    ip_allow_list: tuple[str, ...]
    limits: TierLimits
    budgets: tuple[Budget, ...]
    expires_at: datetime | None
    time_zone: str
    grant_id: str = ""
    client_id: str = ""
    model_names: Mapping[str, str] = field(default_factory=dict)
    quotas: tuple[Quota, ...] = ()
    cache_ttl_s: int | None = None
    from_1_0: bool = False
    lineage_id: str = ""
