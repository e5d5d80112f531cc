"""What OAuth may tell or must know of an account's holder: the claims of OpenID Connect, the tier, the admin right."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.auth.shared.domain.tier import Tier


@dataclass(frozen=True, slots=True)
class Person:
    """The holder of an account that may be used now.

    Claims that are not known are None and are left out.
    """

    user_id: str
    email: str
    tier: Tier
    updated_at: datetime
    email_verified: bool | None = None
    name: str | None = None
    language: str | None = None
    time_zone: str | None = None
    is_admin: bool = False


class People(Protocol):
    """Finds the holders of accounts."""

    async def find(self, user_id: str) -> Person | None:
        """Return who has this account; None when there is none, or when it may not be used."""
        ...
