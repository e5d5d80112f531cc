"""Every setting of auth, read once from variables that begin with AUTH_."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from servicekit.settings import (
    SERVICE_CONFIG,
    GrpcSettings,
    MetricsSettings,
    Part,
    PostgresSettings,
    RedisSettings,
    TelemetrySettings,
)
from services.auth.domain.key_hash import KeyHasher, Pepper
from services.auth.domain.tier import Limits, Tier, TierLimits

# HMAC-SHA256 gains nothing from more, and a shorter one could be guessed from a stolen table.
MIN_PEPPER_LENGTH = 32


class KeySettings(Part):
    """How API keys are stored."""

    pepper: SecretStr = Field(min_length=MIN_PEPPER_LENGTH)
    """Secret of the HMAC under which keys are stored, at least 32 characters. Without it no key can be verified."""
    previous_peppers: SecretStr = SecretStr("")
    """Earlier peppers, separated by commas: keys stored under them still verify, and move over when they are used."""

    @field_validator("previous_peppers")
    @classmethod
    def _long_enough(cls, given: SecretStr) -> SecretStr:
        if any(len(pepper) < MIN_PEPPER_LENGTH for pepper in _split(given)):
            raise ValueError(f"each pepper must have at least {MIN_PEPPER_LENGTH} characters")
        return given

    def hasher(self) -> KeyHasher:
        """Return what hashes and recognises keys."""
        previous = tuple(Pepper.of(pepper) for pepper in _split(self.previous_peppers))
        return KeyHasher(Pepper.of(self.pepper.get_secret_value()), previous)


def _split(peppers: SecretStr) -> list[str]:
    return [pepper.strip() for pepper in peppers.get_secret_value().split(",") if pepper.strip()]


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


class AuthSettings(BaseSettings):
    """Settings of the auth service."""

    model_config = SettingsConfigDict(**SERVICE_CONFIG, env_prefix="AUTH_")

    postgres: PostgresSettings
    redis: RedisSettings
    key: KeySettings
    tier: TierSettings = TierSettings()
    keylimit: DimensionSettings = DimensionSettings()
    modellimit: DimensionSettings = DimensionSettings()
    upkeep: UpkeepSettings = UpkeepSettings()
    grpc: GrpcSettings = GrpcSettings()
    metrics: MetricsSettings = MetricsSettings()
    telemetry: TelemetrySettings = TelemetrySettings()

    def tier_limits(self) -> dict[Tier, TierLimits]:
        """Return what each tier may do: in all, with each key, on each model version."""
        return {tier: TierLimits(self.tier.of(tier), self.keylimit.of(tier), self.modellimit.of(tier)) for tier in Tier}
