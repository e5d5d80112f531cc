"""Settings of the router, read once from ROUTER_* variables."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from servicekit.multiplex import MultiplexServerSettings
from servicekit.settings import (
    SERVICE_CONFIG,
    GrpcSettings,
    MetricsSettings,
    PostgresSettings,
    RedisSettings,
    TelemetrySettings,
)
from services.router.providers.registry import ProviderSettings
from services.router.providers.transport.settings import HttpSettings


class RouterSettings(ProviderSettings, BaseSettings):
    """Everything the router can be told."""

    model_config = SettingsConfigDict(**{**SERVICE_CONFIG, "env_prefix": "ROUTER_"})

    grpc: GrpcSettings = GrpcSettings(port=50052)
    """Where the gateway finds us."""
    multiplex: MultiplexServerSettings = MultiplexServerSettings()
    """The calls that share the gateways' RPCs."""
    metrics: MetricsSettings = MetricsSettings()
    """Where Prometheus scrapes."""
    telemetry: TelemetrySettings = TelemetrySettings()
    """Logs and traces."""
    postgres: PostgresSettings
    """Schema `router`: overrides and provider status. The router serves without it."""
    redis: RedisSettings
    """Shared tokens and resolved channels. The router serves without it."""
    http: HttpSettings = HttpSettings()
    """How providers are called."""
    catalog_dir: Path | None = None
    """Directory of catalogue files; default: the ones shipped with the router."""
    upstreams_file: Path | None = None
    """YAML file of OpenAI-compatible upstreams."""
    reload_s: float = Field(2.0, gt=0)
    """Seconds between two looks at the catalogue files."""
    overrides_s: float = Field(10.0, gt=0)
    """Seconds between two looks at the administrator's overrides."""
    status_s: float = Field(5.0, gt=0)
    """Seconds between two writes of provider_status."""
    choices_max: int = Field(8, ge=1, le=128)
    """Largest n where it is made of n calls."""
    tool_call_key: SecretStr = SecretStr("")
    """Signs tool call ids; the same on every replica. Empty: derived from the providers' credentials."""
