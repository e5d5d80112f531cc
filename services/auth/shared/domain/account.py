"""An account: a person's data and credentials."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from services.auth.shared.domain.tier import Tier


@dataclass(frozen=True, slots=True)
class Account:
    """A person's account, whatever its state.

    Args:
        password_hash: argon2id with its parameters; None: no password was ever set.
        session_epoch: sessions that began under a lower number are over.
        totp_sealed: the second factor's secret, encrypted; it counts once `totp_enabled_at` is set.
    """

    id: str
    email: str
    tier: Tier
    name: str
    language: str
    time_zone: str
    is_admin: bool
    created_at: datetime
    updated_at: datetime
    email_verified_at: datetime | None
    session_epoch: int
    totp_enabled_at: datetime | None
    disabled_at: datetime | None
    deleted_at: datetime | None
    password_hash: str | None = field(repr=False)
    totp_sealed: bytes | None = field(repr=False)

    @property
    def is_usable(self) -> bool:
        """Tell whether anybody may act through it."""
        return self.disabled_at is None and self.deleted_at is None

    @property
    def has_totp(self) -> bool:
        """Tell whether a login needs a second factor."""
        return self.totp_enabled_at is not None
