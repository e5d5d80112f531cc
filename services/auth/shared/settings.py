"""Settings that no room has for itself: limits of tiers, upkeep; parts of `AuthSettings`."""

from __future__ import annotations

from pydantic import Field, SecretStr

from servicekit.settings import Part
from services.auth.shared.domain.bounds import Bounds
from services.auth.shared.domain.tier import Limits, Tier

# For what keys are derived from: HMAC-SHA256 gains nothing from more, and a shorter one could be guessed.
MIN_SECRET_LENGTH = 32


def split_secrets(secrets: SecretStr) -> list[str]:
    """Return the secrets that stand in one setting, separated by commas."""
    return [secret.strip() for secret in secrets.get_secret_value().split(",") if secret.strip()]


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


class DimensionSettings(Part):
    """Limits of each tier in one dimension; 0 means no limit."""

    free_requests_per_minute: int = Field(0, ge=0)
    """Free tier: requests a minute."""
    free_requests_per_day: int = Field(0, ge=0)
    """Free tier: requests a day."""
    free_tokens_per_minute: int = Field(0, ge=0)
    """Free tier: tokens a minute, input and output."""
    free_concurrent_requests: int = Field(0, ge=0)
    """Free tier: requests at once."""
    pro_requests_per_minute: int = Field(0, ge=0)
    """Pro tier: requests a minute."""
    pro_requests_per_day: int = Field(0, ge=0)
    """Pro tier: requests a day."""
    pro_tokens_per_minute: int = Field(0, ge=0)
    """Pro tier: tokens a minute, input and output."""
    pro_concurrent_requests: int = Field(0, ge=0)
    """Pro tier: requests at once."""
    enterprise_requests_per_minute: int = Field(0, ge=0)
    """Enterprise tier: requests a minute."""
    enterprise_requests_per_day: int = Field(0, ge=0)
    """Enterprise tier: requests a day."""
    enterprise_tokens_per_minute: int = Field(0, ge=0)
    """Enterprise tier: tokens a minute, input and output."""
    enterprise_concurrent_requests: int = Field(0, ge=0)
    """Enterprise tier: requests at once."""

    def of(self, tier: Tier) -> Limits:
        """Return the limits of one tier."""
        return Limits(
            requests_per_minute=getattr(self, f"{tier}_requests_per_minute"),
            requests_per_day=getattr(self, f"{tier}_requests_per_day"),
            tokens_per_minute=getattr(self, f"{tier}_tokens_per_minute"),
            concurrent_requests=getattr(self, f"{tier}_concurrent_requests"),
        )


class TierSettings(DimensionSettings):
    """What an account may use in all."""

    free_requests_per_minute: int = Field(20, ge=0)
    free_requests_per_day: int = Field(200, ge=0)
    free_tokens_per_minute: int = Field(100_000, ge=0)
    free_concurrent_requests: int = Field(5, ge=0)
    pro_requests_per_minute: int = Field(100, ge=0)
    pro_requests_per_day: int = Field(1_000, ge=0)
    pro_tokens_per_minute: int = Field(1_000_000, ge=0)
    pro_concurrent_requests: int = Field(20, ge=0)
    enterprise_requests_per_minute: int = Field(600_000, ge=0)
    enterprise_tokens_per_minute: int = Field(1_000_000_000, ge=0)
    enterprise_concurrent_requests: int = Field(10_000, ge=0)


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
