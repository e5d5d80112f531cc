"""An account to be created."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.auth.shared.domain.tier import Tier


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account to be created; its address has been verified."""

    id: str
    email: str
    name: str
    language: str
    password_hash: str | None = field(repr=False)
    tier: Tier = Tier.FREE
    is_admin: bool = False
