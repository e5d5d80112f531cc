"""Settings of what each tier may use: parts of `AuthSettings`."""

from __future__ import annotations

from pydantic import Field

from servicekit.settings import Part
from services.auth.domain.tier import Limits, Tier


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
