"""Settings of the router, read once from ROUTER_* variables."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, SecretStr
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

NO_SECRET = SecretStr("")


class HttpSettings(Part):
    """How providers are called."""

    connect_s: float = Field(2.0, gt=0)
    """Seconds to open a connection, TLS included."""
    first_token_s: float = Field(30.0, gt=0)
    """Seconds until the first content of a stream."""
    idle_s: float = Field(30.0, gt=0)
    """Seconds between two events of a stream."""
    answer_s: float = Field(120.0, gt=0)
    """Seconds until a whole answer that is not streamed."""
    connections: int = Field(512, ge=1)
    """Connections to all providers at most."""
    keepalive_s: float = Field(45.0, ge=0)
    """Seconds an unused connection is kept."""
    body_mb: int = Field(32, ge=1)
    """Megabytes of an answer at most."""
    line_kb: int = Field(2048, ge=1)
    """Kilobytes of one line of a stream at most."""


class YandexSettings(Part):
    """YandexGPT; without credentials its models answer PROVIDER_CREDENTIALS."""

    api_key: SecretStr = NO_SECRET
    """API key of a service account; used before the other two."""
    iam_token: SecretStr = NO_SECRET
    """An IAM token (at most 12 h old): for trying things out."""
    service_account_key_file: Path | None = None
    """JSON file of an authorised key; exchanged for IAM tokens."""
    folder_id: str = ""
    """Folder that the models' addresses name."""
    base_url: str = "https://ai.api.cloud.yandex.net"
    """Address of the API; /foundationModels/v1 and /v1 lie under it."""
    iam_url: str = "https://iam.api.cloud.yandex.net/iam/v1/tokens"
    """Where a service account's JWT is exchanged."""
    iam_audience: str = "https://iam.api.cloud.yandex.net/iam/v1/tokens"
    """What the JWT is made out for."""
    ca_bundle: Path | None = None
    """PEM file of further authorities for these hosts only."""
    data_logging: bool = False
    """Whether the provider may log prompts."""
    hold_back_chars: int = Field(0, ge=0, le=64)
    """Characters of each partial text that are held back to hide rewrites; 0: none."""


class GigaChatSettings(Part):
    """GigaChat; without credentials its models answer PROVIDER_CREDENTIALS."""

    credentials: SecretStr = NO_SECRET
    """Authorization key of the cabinet: base64 of client id and secret."""
    scope: str = "GIGACHAT_API_PERS"
    """GIGACHAT_API_PERS, GIGACHAT_API_B2B or GIGACHAT_API_CORP."""
    base_url: str = "https://api.giga.chat/v1"
    """Address of API v1."""
    auth_url: str = "https://ngw.devices.sberbank.ru:9443/api/v2/oauth"
    """Where the key is exchanged for a token."""
    ca_bundle: Path | None = None
    """PEM file with the Russian Trusted Root CA; trusted for these hosts only."""


class RouterSettings(BaseSettings):
    """Everything the router can be told."""

    model_config = SettingsConfigDict(**{**SERVICE_CONFIG, "env_prefix": "ROUTER_"})

    grpc: GrpcSettings = GrpcSettings(port=50052)
    """Where the gateway finds us."""
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
    yandex: YandexSettings = YandexSettings()
    """YandexGPT."""
    gigachat: GigaChatSettings = GigaChatSettings()
    """GigaChat."""
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
    tool_call_key: SecretStr = NO_SECRET
    """Signs tool call ids; the same on every replica. Empty: derived from the providers' credentials."""
