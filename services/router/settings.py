"""Settings of the router, read once from ROUTER_* variables."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from servicekit.configuration.production import postgres_faults, redis_faults, secret_faults, tls_faults
from servicekit.multiplex import MultiplexServerSettings
from servicekit.settings import (
    SERVICE_CONFIG,
    GrpcSettings,
    MetricsSettings,
    OptionalPath,
    Part,
    PostgresSettings,
    RedisSettings,
    TelemetrySettings,
    TlsSettings,
)
from services.router.batches.settings import BatchSettings
from services.router.circuits.settings import CircuitSettings
from services.router.providers.access import Access
from services.router.providers.registry import BUILT_IN, ProviderSettings
from services.router.providers.transport.settings import HttpSettings, WebImageSettings
from services.router.slots.settings import SlotSettings


class RouterSettings(ProviderSettings, BaseSettings):
    """All settings of the router."""

    model_config = SettingsConfigDict(**{**SERVICE_CONFIG, "env_prefix": "ROUTER_"})

    grpc: GrpcSettings = GrpcSettings(port=50052)
    """Where the gateway finds us."""
    tls: TlsSettings = TlsSettings()
    """How we and our callers prove ourselves."""
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
    slots: SlotSettings = SlotSettings()
    """How calls wait for providers' quotas."""
    http: HttpSettings = HttpSettings()
    """How providers are called."""
    images: WebImageSettings = WebImageSettings()
    """How images at addresses are fetched."""
    circuits: CircuitSettings = CircuitSettings()
    """When a model is left out, and how often a call is repeated."""
    batches: BatchSettings = BatchSettings()
    """Files of callers, and batches."""
    catalog_dir: Path | None = None
    """Directory of catalogue files; default: the ones shipped with the router."""
    upstreams_file: Path | None = None
    """YAML file of OpenAI-compatible upstreams."""
    extra_models_file: OptionalPath = None
    """YAML file of further models of the shipped providers, with their prices: tuned ones, GigaChat-3-Ultra."""
    reload_s: float = Field(2.0, gt=0)
    """Seconds between two looks at the catalogue files, and at the files that hold providers' keys."""
    overrides_s: float = Field(10.0, gt=0)
    """Seconds between two looks at the administrator's overrides."""
    status_s: float = Field(5.0, gt=0)
    """Seconds between two exchanges of what the replicas saw of the providers; one of them writes provider_status."""
    status_history_days: int = Field(90, ge=1)
    """Days that past statuses of the providers are kept."""
    choices_max: int = Field(8, ge=1, le=128)
    """Largest n where it is made of n calls."""
    tokenizer_s: float = Field(1.0, ge=0)
    """Seconds in which a provider's tokenizer may count an answer whose usage was not said; 0: it is not asked."""
    tokenizer_cache: int = Field(4096, ge=0)
    """Counts of tokenizers that are remembered, by hash of model and text."""
    tool_call_key: SecretStr = SecretStr("")
    """Signs ids of tool calls and files, and seals what callers upload; the same on every replica.

    Empty: derived from the providers' credentials, so when those change, what was uploaded before cannot be read.
    """

    def production_faults(self) -> Iterator[str]:
        """Yield what production refuses."""
        yield from tls_faults("ROUTER_", self.tls)
        yield from postgres_faults("ROUTER_", self.postgres)
        yield from redis_faults("ROUTER_", self.redis)
        if secret := self.tool_call_key.get_secret_value():
            yield from secret_faults("ROUTER_TOOL_CALL_KEY", secret)
        for row in BUILT_IN:
            yield from _provider_faults(row.access, getattr(self, row.access.part))


def _provider_faults(access: Access, given: Part) -> Iterator[str]:
    prefix = f"ROUTER_{access.part.upper()}_"
    for name, value in given:
        shown = value.get_secret_value() if isinstance(value, SecretStr) else value
        if isinstance(shown, str) and shown.startswith("http://"):
            yield f"{prefix}{name.upper()}: prompts and credentials would be plaintext; use https://"
        elif name == access.key_setting and shown and shown == access.emulated.get(name):
            yield f"{prefix}{name.upper()}: this is the emulator's credential; use the provider's, or leave it empty"
