"""Settings that belong to no single room: limits of tiers, upkeep; parts of `AuthSettings`."""

from __future__ import annotations

from pydantic import Field

from servicekit.settings import Part
from services.auth.shared.domain.bounds import Bounds
from services.auth.shared.domain.tier import Limits, Tier

MICRO = 1_000_000


class MostSettings(Part):
    """How much one account may have at once."""

    keys: int = Field(500, ge=1)
    """Live API keys of an account; one more is refused."""
    clients: int = Field(100, ge=1)
    """Applications of an account; one more is refused."""
    grants: int = Field(500, ge=1)
    """Live authorizations of an account; one more is refused."""
    sessions: int = Field(50, ge=1)
    """Login sessions of an account; one more ends the oldest: a refusal would lock people out of their account."""

    def bounds(self) -> Bounds:
        """Return them."""
        return Bounds(self.keys, self.clients, self.grants, self.sessions)


class LimitSettings(Part):
    """Limits of one tier: in all, with one key or application, or on one model version; 0 means no limit."""

    requests_per_minute: int = Field(0, ge=0)
    """Requests a minute."""
    requests_per_day: int = Field(0, ge=0)
    """Requests a day."""
    tokens_per_minute: int = Field(0, ge=0)
    """Tokens a minute, input and output."""
    tokens_per_day: int = Field(0, ge=0)
    """Tokens a day, input and output."""
    concurrent_requests: int = Field(0, ge=0)
    """Requests at once."""

    @property
    def limits(self) -> Limits:
        """Return them as a value."""
        return Limits(**self.model_dump())


class FreeTierSettings(LimitSettings):
    """What a free account may use in all; 0 means no limit."""

    requests_per_minute: int = Field(20, ge=0)
    requests_per_day: int = Field(200, ge=0)
    tokens_per_minute: int = Field(100_000, ge=0)
    concurrent_requests: int = Field(5, ge=0)


class ProTierSettings(LimitSettings):
    """What a pro account may use in all; 0 means no limit."""

    requests_per_minute: int = Field(100, ge=0)
    requests_per_day: int = Field(1_000, ge=0)
    tokens_per_minute: int = Field(1_000_000, ge=0)
    concurrent_requests: int = Field(20, ge=0)


class EnterpriseTierSettings(LimitSettings):
    """What an enterprise account may use in all; 0 means no limit."""

    requests_per_minute: int = Field(600_000, ge=0)
    tokens_per_minute: int = Field(1_000_000_000, ge=0)
    concurrent_requests: int = Field(10_000, ge=0)


class CeilingSettings(Part):
    """What an account may spend in a month by its tier, so that a stolen key or a runaway loop costs a known sum."""

    free_rub_per_month: int = Field(1_000, ge=0)
    """Free tier: roubles a month; 0 means no ceiling."""
    pro_rub_per_month: int = Field(100_000, ge=0)
    """Pro tier: roubles a month; 0 means no ceiling."""
    enterprise_rub_per_month: int = Field(0, ge=0)
    """Enterprise tier, which has a contract: roubles a month; 0 means no ceiling."""

    def micro_rub(self, tier: Tier) -> int:
        """Return the ceiling of a tier in micro-roubles."""
        roubles = {
            Tier.FREE: self.free_rub_per_month,
            Tier.PRO: self.pro_rub_per_month,
            Tier.ENTERPRISE: self.enterprise_rub_per_month,
        }
        return roubles[tier] * MICRO


class UpkeepSettings(Part):
    """How often the service looks after itself."""

    last_use_every_s: float = Field(5.0, gt=0)
    """Seconds between two writes of when keys were last used."""
    revocation_sweep_every_s: float = Field(1.0, gt=0)
    """Seconds between two looks for revocations that the gateways have not been told."""
    revocation_keep_s: int = Field(3600, ge=60)
    """Seconds a revocation is kept for gateways that reconnect; longer than any access token lives."""
    check_every_s: float = Field(3600.0, gt=0)
    """Seconds between two checks of the audit log, of the peppers in use and of what may be forgotten."""
